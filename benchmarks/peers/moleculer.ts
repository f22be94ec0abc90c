// moleculer with its Redis transporter: the publisher broadcasts an event, each subscriber is a node with a service.
// Source: https://moleculer.services/docs/0.14/networking and /docs/0.14/events

import { type Context, ServiceBroker } from 'moleculer';
import { checked } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Address, Peer } from './peer.ts';

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const broker = brokerOn(server, 'publisher');
    await broker.start();
    await broker.waitForServices('bot');
    return {
      publish: (payload) => broker.broadcast(channel, envelopeOf(channel, payload)),
      close: () => broker.stop(),
    };
  },

  async subscriber(server, channel, onPayload) {
    const broker = brokerOn(server, 'bot');
    broker.createService({
      name: 'bot',
      events: { [channel]: (context: Context) => onPayload(checked(channel, context.params), 0) },
    });
    await broker.start();
    return { close: () => broker.stop() };
  },
};

let nodes = 0;

function brokerOn({ host, port }: Address, role: string): ServiceBroker {
  return new ServiceBroker({
    nodeID: `${role}-${process.pid}-${nodes++}`,
    transporter: `redis://${host}:${port}`,
    logger: false,
  });
}
