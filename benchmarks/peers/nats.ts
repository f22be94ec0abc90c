// NATS core as in the nats.js documentation: `publish` writes to a buffer, and after `flush` the server has every
// message. The subscription uses a callback, which is the fastest form. Source:
// https://github.com/nats-io/nats.js/tree/main/core#readme

import { connect } from '@nats-io/transport-node';
import { readText } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

export const peer: Peer = {
  server: 'nats',

  async publisher({ host, port }, channel) {
    const connection = await connect({ servers: `${host}:${port}` });
    return {
      publish(payload) {
        connection.publish(channel, JSON.stringify(envelopeOf(channel, payload)));
        return undefined;
      },
      flush: () => connection.flush(),
      close: () => connection.close(),
    };
  },

  async subscriber({ host, port }, channel, onPayload) {
    const connection = await connect({ servers: `${host}:${port}` });
    connection.subscribe(channel, {
      callback(error, message) {
        if (error) throw error;
        onPayload(readText(channel, message.string()), 0);
      },
    });
    await connection.flush();
    return { close: () => connection.close() };
  },
};
