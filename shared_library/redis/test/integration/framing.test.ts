// Batch framing over a real server: subscribers with and without the option, and plain clients.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel, RedisPublisher, RedisSubscriber } from '../../index.ts';

const messages = { tick: z.object({ symbol: z.string(), n: z.number() }) };
const FRAMED = defineChannel('FRAMED', { kind: 'state', key: 'symbol', framing: 'batch', messages });
/** The channel FRAMED, defined without batch framing. */
const UNFRAMED = defineChannel('FRAMED', { kind: 'state', key: 'symbol', messages });
const COUNT = 1_000;

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

/** Resolves with all received numbers when the last number has arrived. */
function receiveAll(subscriber: RedisSubscriber, channel: typeof FRAMED): Promise<number[]> {
  const received: number[] = [];
  return new Promise((resolve) => {
    subscriber.subscribe(channel, ({ data }) => {
      received.push(data.n);
      if (data.n === COUNT - 1) resolve(received);
    });
  });
}

it('a batch reaches every subscriber in order, and each last value is stored singly', async () => {
  await using publisher = new RedisPublisher({ url: redis.url });
  await using framedSubscriber = new RedisSubscriber({ url: redis.url });
  await using unframedSubscriber = new RedisSubscriber({ url: redis.url });
  const received = [receiveAll(framedSubscriber, FRAMED), receiveAll(unframedSubscriber, UNFRAMED)];
  await Promise.all([framedSubscriber.startListening(), unframedSubscriber.startListening()]);
  const plain = createClient({ url: redis.url });
  await plain.connect();
  const frames: { seq: number }[][] = [];
  await plain.subscribe('FRAMED', (text) => frames.push(JSON.parse(text)));

  const numbers = Array.from({ length: COUNT }, (_, n) => n);
  const published = await Promise.all(numbers.map((n) => publisher.publish(FRAMED, { symbol: `S${n}`, n })));
  expect(published.map(({ position }) => position?.seq)).toEqual(numbers.map((n) => n + 1));
  expect(await Promise.all(received)).toEqual([numbers, numbers]);
  for (const subscriber of [framedSubscriber, unframedSubscriber])
    expect(subscriber.status(FRAMED) ?? subscriber.status(UNFRAMED)).toMatchObject({
      received: COUNT,
      invalid: 0,
      gaps: 0,
    });

  // The reply to the ping follows everything that the server pushed before it on this connection.
  await plain.ping();
  expect(frames.flat().map(({ seq }) => seq)).toEqual(numbers.map((n) => n + 1));
  expect(frames.length).toBeLessThan(COUNT / 10);
  await plain.close();

  await using late = new RedisSubscriber({ url: redis.url });
  const lastValues = receiveAll(late, FRAMED);
  await late.startListening();
  expect(await lastValues).toEqual(numbers);
});

it('a subscriber delivers the valid messages of a batch and reports the invalid ones once', async () => {
  await using subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  const channel = defineChannel('MIXED', { kind: 'plain', framing: 'batch', messages });
  const received: number[] = [];
  const invalid: { preview: string; count: number }[] = [];
  subscriber.on('invalid_message', (report) => invalid.push(report));
  const last = new Promise<void>((resolve) => {
    subscriber.subscribe(channel, ({ data }) => {
      received.push(data.n);
      if (data.n === 4) resolve();
    });
  });
  await subscriber.startListening();
  const message = (n: unknown, change = {}) => ({
    message_type: 'tick',
    data: { symbol: 'S', n },
    timestamp: 1,
    sender: 'plain client',
    ...change,
  });
  const plain = createClient({ url: redis.url });
  await plain.connect();
  const batch = [message(1), message(2, { sender: 7 }), message('three'), message(4)];
  await plain.publish('MIXED', JSON.stringify(batch));
  await last;
  expect(received).toEqual([1, 4]);
  expect(invalid.map(({ preview, count }) => [JSON.parse(preview), count])).toEqual([[batch[1], 2]]);
  await plain.close();
});
