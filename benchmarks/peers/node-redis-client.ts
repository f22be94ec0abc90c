// A participant with plain node-redis. Source: https://github.com/redis/node-redis/blob/master/docs/pub-sub.md

import { createClient } from 'redis';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Address, Peer, PeerPayload } from './peer.ts';

export function nodeRedisPeer({ validates }: { validates: boolean }): Peer {
  return {
    server: 'redis',

    async publisher(server, channel) {
      const client = await connected(server);
      return {
        publish: (payload) => client.publish(channel, JSON.stringify(envelopeOf(channel, payload))),
        close: () => client.close(),
      };
    },

    async subscriber(server, channel, onPayload) {
      const client = await connected(server);
      const read = validates
        ? (text: string) => readText(channel, text)
        : (text: string) => (JSON.parse(text) as { data: PeerPayload }).data;
      await client.subscribe(channel, (text) => onPayload(read(text), 0));
      return { close: () => client.close() };
    },
  };
}

export async function connected({ host, port }: Address) {
  const client = createClient({ socket: { host, port } });
  client.on('error', (error) => console.error(error));
  await client.connect();
  return client;
}
