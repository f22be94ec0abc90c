// How often a complaint is read and repeated, in memory with a manual clock.

import { errorOf, RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection, MemoryServer } from '../../testing.ts';

const messages = { fill: z.object({ order: z.string() }) };
const STATE = defineChannel('FILLS', { kind: 'state', key: 'order', messages });
const EVENT = defineChannel('FILLS', { kind: 'event', key: 'order', messages });
const FILL = { order: 'o1' };
const MINUTE = 60_000;

let clock: ManualClock;
let server: MemoryServer;
let closing: { close(): Promise<void> }[];
beforeEach(() => {
  clock = new ManualClock();
  server = new MemoryServer(clock);
  closing = [];
});
afterEach(() => Promise.all(closing.map((program) => program.close())));

function newPublisher(sender: string, logger: Logger = silentLogger) {
  const connection = new MemoryConnection({ server });
  const publisher = new RedisPublisher({ connection, sender, clock, logger });
  closing.push(publisher);
  return { publisher, connection };
}

/** Minutes since `start` at which the complaint was left. */
const leftAfter = (start: number) =>
  (Number(/^at=(\d+) /.exec(server.head(STATE).conflict ?? '')?.[1]) - start) / MINUTE;

it('a publisher reads the head once in 10 s, however many batches it publishes', async () => {
  const { publisher, connection } = newPublisher('alpha');
  const reads = vi.spyOn(connection.publishing, 'head');
  const publish = async () => {
    for (let count = 0; count < 20; count++) await publisher.publish(STATE, FILL);
  };
  await publish();
  await clock.advance(9_999);
  await publish();
  expect(reads).toHaveBeenCalledTimes(0);
  for (let time = 1; time <= 3; time++) {
    await clock.advance(10_000);
    await publish();
    expect(reads).toHaveBeenCalledTimes(time);
  }
  // Nothing is read while nothing is published.
  await clock.advance(MINUTE);
  expect(reads).toHaveBeenCalledTimes(3);
});

it('complaints under ever new names fill no log', async () => {
  const recorder = new RecordingLogger();
  const { publisher } = newPublisher('alpha', recorder);
  await publisher.publish(STATE, FILL);
  for (let count = 0; count < 150; count++) {
    server.complain(STATE, `kind=event key=order by=flood${count}`);
    await clock.advance(10_000);
    await publisher.publish(STATE, FILL);
  }
  expect(recorder.lines.filter(({ level }) => level === 'error')).toHaveLength(100);
});

it('a subscriber repeats its complaint every 5 minutes while the conflict lasts', async () => {
  const { publisher } = newPublisher('alpha');
  await publisher.publish(STATE, FILL);
  const subscriber = new RedisSubscriber({
    connection: new MemoryConnection({ server }),
    name: 'gamma',
    clock,
    logger: silentLogger,
    freshness: false,
  });
  closing.push(subscriber);
  subscriber.subscribe(EVENT, () => {});
  const start = clock.now();
  await subscriber.startListening();
  expect(leftAfter(start)).toBe(0);
  await clock.advance(5 * MINUTE - 1_000);
  expect(leftAfter(start)).toBe(0);
  await clock.advance(2_000);
  expect(leftAfter(start)).toBeCloseTo(5, 1);
  // Somebody deletes the head, and the next program has the definition of the subscriber.
  server.flush();
  await newPublisher('beta').publisher.publish(EVENT, FILL);
  await clock.advance(11 * MINUTE);
  expect(server.head(STATE).conflict).toBeUndefined();
});

it('a refused publisher repeats its complaint with a message after 5 minutes', async () => {
  await newPublisher('alpha').publisher.publish(STATE, FILL);
  const beta = newPublisher('beta').publisher;
  const start = clock.now();
  for (const [minutes, expected] of [
    [0, 0],
    [4, 0],
    [1, 5],
  ] as const) {
    await clock.advance(minutes * MINUTE);
    await errorOf(beta.publish(EVENT, FILL));
    expect(leftAfter(start)).toBe(expected);
  }
});
