// graphql-redis-subscriptions: its PubSub engine without a GraphQL server, on ioredis as in its README.
// Source: https://github.com/davidyaha/graphql-redis-subscriptions#readme

import { RedisPubSub } from 'graphql-redis-subscriptions';
import { Redis } from 'ioredis';
import { checked } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Address, Peer } from './peer.ts';

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const engine = engineOn(server);
    return {
      publish: (payload) => engine.publish(channel, envelopeOf(channel, payload)),
      close: async () => void (await engine.close()),
    };
  },

  async subscriber(server, channel, onPayload) {
    const engine = engineOn(server);
    await engine.subscribe(channel, (message: unknown) => onPayload(checked(channel, message), 0));
    return { close: async () => void (await engine.close()) };
  },
};

function engineOn(server: Address): RedisPubSub {
  return new RedisPubSub({
    publisher: new Redis(server),
    subscriber: new Redis(server),
  });
}
