// valkey-glide pub/sub as in its documentation: the subscriptions are options of the client.
// Source: https://valkey.io/valkey-glide/node/ (GlideClientConfiguration.pubsubSubscriptions)

import { GlideClient, GlideClientConfiguration, Logger } from '@valkey/valkey-glide';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

// Hides warnings about a full pipeline, which the benchmark causes.
Logger.setLoggerConfig('error');

export const peer: Peer = {
  server: 'redis',

  async publisher(server, channel) {
    const client = await GlideClient.createClient({ addresses: [server], inflightRequestsLimit: 10_000 });
    return {
      publish: (payload) => client.publish(JSON.stringify(envelopeOf(channel, payload)), channel),
      close: async () => client.close(),
    };
  },

  async subscriber(server, channel, onPayload) {
    const client = await GlideClient.createClient({
      addresses: [server],
      pubsubSubscriptions: {
        channelsAndPatterns: {
          [GlideClientConfiguration.PubSubChannelModes.Exact]: new Set([channel]),
        },
        callback: ({ message }) => onPayload(readText(channel, String(message)), 0),
      },
    });
    return { close: async () => client.close() };
  },
};
