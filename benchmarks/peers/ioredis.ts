// ioredis, as its README shows pub/sub: auto-pipelining on for the publisher, a connection of its own for the subscriber.
// Source: https://github.com/redis/ioredis#pubsub and #autopipelining

import { Redis } from 'ioredis-6';
import { readText } from '../receive.ts';
import { envelopeOf } from '../tick.ts';
import type { Peer } from './peer.ts';

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const client = new Redis({ ...server, enableAutoPipelining: true });
    return {
      publish: (payload) => client.publish(channel, JSON.stringify(envelopeOf(channel, payload))),
      close: async () => void (await client.quit()),
    };
  },

  async subscriber(server, channel, onPayload) {
    const client = new Redis(server);
    client.on('message', (_channel, text) => onPayload(readText(channel, text), 0));
    await client.subscribe(channel);
    return { close: async () => void (await client.quit()) };
  },
};
