// For the invalid-input tests: Redis and the in-memory server, each with a plain client, and a valid message.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Channel } from '../../channel/channel.ts';
import { MemoryConnection } from '../../testing.ts';

/** A server with a plain client, and the options that connect tickbus to the server. */
export interface MessageServer {
  readonly options: { url: string } | { connection: MemoryConnection };
  send(channel: Channel, frame: Uint8Array): Promise<unknown>;
  /** Records every message of a channel as text. */
  listen(channel: Channel): Promise<EventRecorder<string>>;
  close(): Promise<unknown>;
}

/** Runs the tests on Redis and on the in-memory server. `server()` is valid inside tests and hooks. */
export function describeOnServers(tests: (server: () => MessageServer) => void): void {
  describe.each([
    ['Redis', redisServer],
    ['memory', memoryServer],
  ])('on %s', (_, start) => {
    let server: MessageServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.close());
    tests(() => server);
  });
}

/** A price envelope on the wire. */
export const validPrice = {
  message_type: 'price',
  data: { symbol: 'AAPL', price: 1, timestamp: 1 },
  timestamp: 1,
  sender: 'plain client',
};

async function redisServer(): Promise<MessageServer> {
  const redis: LocalRedis = await startLocalRedis();
  const sending = createClient({ url: redis.url });
  const listening = createClient({ url: redis.url });
  for (const client of [sending, listening]) {
    client.on('error', () => {});
    await client.connect();
  }
  return {
    options: { url: redis.url },
    send: ({ name }, frame) => sending.publish(name, Buffer.from(frame)),
    listen: async ({ name }) => {
      const received = new EventRecorder<string>();
      await listening.subscribe(name, received.add);
      return received;
    },
    close: () => {
      sending.destroy();
      listening.destroy();
      return redis.kill();
    },
  };
}

async function memoryServer(): Promise<MessageServer> {
  const connection = new MemoryConnection();
  return {
    options: { connection },
    send: async ({ name }, frame) => connection.server.publishRaw(name, frame),
    listen: async ({ name }) => {
      const received = new EventRecorder<string>();
      connection.server.subscribe(name, (frame) => received.add(new TextDecoder().decode(frame)));
      return received;
    },
    close: () => connection.close(),
  };
}
