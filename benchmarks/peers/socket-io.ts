// Socket.IO with its Redis adapter: the publisher uses the Redis emitter, a Socket.IO server in a separate process
// receives events through the adapter, and subscribers are its WebSocket clients. Source:
// https://socket.io/docs/v4/redis-adapter/ (Usage, Emitter)

import { createAdapter } from '@socket.io/redis-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { checked } from '../receive.ts';
import { envelopeOf } from '../ticks.ts';
import type { Peer } from './peer.ts';

export const peer: Peer = {
  server: 'redis',

  async relay({ host, port }, relayPort) {
    const publishing = createClient({ socket: { host, port } });
    const subscribing = publishing.duplicate();
    await Promise.all([publishing.connect(), subscribing.connect()]);
    const server = new Server({ adapter: createAdapter(publishing, subscribing), transports: ['websocket'] });
    server.listen(relayPort);
    return { close: () => server.close() };
  },

  async publisher({ host, port }, channel) {
    const client = createClient({ socket: { host, port } });
    await client.connect();
    const emitter = new Emitter(client);
    return {
      publish(payload) {
        emitter.emit(channel, envelopeOf(channel, payload));
        return undefined;
      },
      // The emitter returns no promise. Redis replies in order, so the reply to PING follows all publishes.
      flush: () => client.ping(),
      close: () => client.close(),
    };
  },

  async subscriber({ host, port }, channel, onPayload) {
    const socket = io(`http://${host}:${port}`, { transports: ['websocket'] });
    socket.on(channel, (message: unknown) => onPayload(checked(channel, message), 0));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return { close: async () => void socket.close() };
  },
};
