// Participants with ioredis clients.

import { Redis } from 'ioredis-6';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

/** The subscriber has a separate connection, as Redis requires. */
export function ioredisPeer(publishing: { readonly enableAutoPipelining?: boolean } = {}): Peer {
  return {
    server: 'redis',

    async publisher(server, channel) {
      const client = new Redis({ ...server, ...publishing });
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
}
