// Freshness over a real Redis: a hanging server, restarts, missing permissions, and the server clock.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { StaleDataError } from '../../freshness/stale-data-error.ts';
import type { Verdict } from '../../freshness/verdict.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, createUser } from './integration.fixture.ts';

const { PRICE_DATA, FEED_STATUS } = CHANNELS;

let redis: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

/** A gateway that publishes a price and its status every 50 ms until it is stopped. */
async function gateway() {
  const publisher = new RedisPublisher({ url: redis.url, logger });
  await publisher.connect();
  const publishStatus = async () => {
    const status = {
      feed: 'sim',
      state: 'live',
      interval_ms: 300,
      last_frame_ago_ms: 0,
      live_for_ms: 60_000,
    } as const;
    await publisher.publish(FEED_STATUS, status);
    await publisher.publish(PRICE_DATA, pricePayload());
  };
  await publishStatus();
  const timer = setInterval(() => publishStatus().catch(() => {}), 50);
  const stop = () => clearInterval(timer);
  closing.push(async () => {
    stop();
    await publisher.close();
  });
  return { stop };
}

async function bot(url = redis.url) {
  const subscriber = new RedisSubscriber({ url, logger });
  closing.push(() => subscriber.close());
  const verdicts = new EventRecorder<Verdict>();
  subscriber.on('verdict', ({ verdict }) => verdicts.add(verdict));
  const prices = new EventRecorder<number>();
  subscriber.subscribe(PRICE_DATA, ({ data }) => prices.add(data.price), { maxAgeMs: 1_500 });
  await subscriber.startListening();
  return { subscriber, verdicts, prices };
}

/** Reads in one turn of the event loop until requireFresh throws. */
function readInTightLoop(subscriber: RedisSubscriber, bounds: { maxAgeMs: number; maxQuietMs?: number }) {
  for (let reads = 0; ; reads++) {
    try {
      subscriber.requireFresh(PRICE_DATA, 'A', bounds);
    } catch (error) {
      if (error instanceof StaleDataError) return { error, reads };
      throw error;
    }
  }
}

it('requireFresh in a tight loop throws in time, although no event can be processed', async () => {
  await gateway();
  const { subscriber, verdicts } = await bot();
  await verdicts.first((verdict) => verdict === 'fresh');
  const strict = readInTightLoop(subscriber, { maxAgeMs: 400 });
  expect(strict.reads).toBeGreaterThan(100);
  expect(strict.error.verdict).toBe('quiet_market');
  expect(strict.error.changedAgoMs + 100).toBeGreaterThan(400);
  // In the blocked process neither the heartbeat nor the link is confirmed in time.
  const lenient = readInTightLoop(subscriber, { maxAgeMs: 60_000 });
  expect(['gateway_down', 'link_down']).toContain(lenient.error.verdict);
});

it('verdict events report link_down while Redis hangs, then fresh', async () => {
  await gateway();
  const { subscriber, verdicts } = await bot();
  await verdicts.first((verdict) => verdict === 'fresh');
  const seen = verdicts.items.length;
  redis.pause();
  closing.push(() => redis.resume());
  await verdicts.first((verdict) => verdict === 'link_down');
  expect(() => subscriber.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 60_000 })).toThrow(StaleDataError);
  redis.resume();
  while (verdicts.items.at(-1) !== 'fresh') await verdicts.reaches(verdicts.items.length + 1);
  expect(verdicts.items.slice(seen)).toContain('link_down');
});

it('verdict events distinguish a dead gateway from a dead link', async () => {
  const { stop } = await gateway();
  const { subscriber, verdicts } = await bot();
  await verdicts.first((verdict) => verdict === 'fresh');
  const seen = verdicts.items.length;
  stop();
  await verdicts.first((verdict) => verdict === 'gateway_down');
  expect(verdicts.items.slice(seen)).not.toContain('link_down');
  expect(subscriber.latest(PRICE_DATA, 'A').reason).toContain('sim');
  await gateway();
  while (verdicts.items.at(-1) !== 'fresh') await verdicts.reaches(verdicts.items.length + 1);
});

it.each([false, true])(
  'latest yields gateway_down after a restart if the gateway lost its lease unnoticed (memory kept: %s)',
  async (keepsData) => {
    const server = await startLocalRedis({ keepsData });
    closing.push(() => server.kill());
    const { lease, publisher } = await leasedPublisher(PRICE_DATA, server.url);
    closing.push(
      () => lease.close(),
      () => publisher.close(),
    );
    const status = { feed: 'sim', state: 'live', interval_ms: 60_000, live_for_ms: 600_000 } as const;
    const token = lease.token ?? 0;
    await publisher.publish(FEED_STATUS, { ...status, lease: token, last_frame_ago_ms: 0 });
    await publisher.publish(PRICE_DATA, pricePayload());
    const { subscriber, verdicts } = await bot(server.url);
    const links = new EventRecorder<string>();
    subscriber.on('status', ({ type }) => links.add(type));
    const received = new EventRecorder<number>();
    subscriber.subscribe(FEED_STATUS, ({ data }) => received.add(data.instruments ?? 0));
    await verdicts.first((verdict) => verdict === 'fresh');
    expect(subscriber.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 60_000 }).data.price).toBe(1);

    if (keepsData) {
      const admin = await connectPlainClient(server.url, closing);
      // Saves a snapshot without the lease, as if it were older than the lease.
      await admin.del('tickbus:{PRICE_DATA}:lease');
      await admin.sendCommand(['SAVE']);
    }
    await lease.close();
    await server.kill();
    await links.first((type) => type === 'disconnected');
    links.items.length = 0;
    await server.start();
    await links.first((type) => type === 'live');
    const late = new RedisPublisher({ url: server.url, logger });
    closing.push(() => late.close());
    await late.publish(FEED_STATUS, { ...status, lease: token, last_frame_ago_ms: 0, instruments: 7 });
    await received.first((instruments) => instruments === 7);
    while (subscriber.status(PRICE_DATA)?.mode !== 'live') await links.reaches(links.items.length + 1);
    const { verdict, reason, message } = subscriber.latest(PRICE_DATA, 'A', { maxAgeMs: 60_000 });
    expect([verdict, message?.data.price]).toEqual(['gateway_down', 1]);
    expect(reason).toContain('does not hold the lease');
    expect(() => subscriber.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 60_000 })).toThrow(StaleDataError);
  },
);

it('latest reports ages by the server clock, within their error', async () => {
  await gateway();
  const { subscriber, verdicts } = await bot();
  await verdicts.first((verdict) => verdict === 'fresh');
  const admin = await connectPlainClient(redis.url, closing);
  const before = Number(await admin.sendCommand(['TIME']).then(milliseconds));
  const { message, changedAgoMs, errorMs } = subscriber.latest(PRICE_DATA, 'A');
  const after = Number(await admin.sendCommand(['TIME']).then(milliseconds));
  const now = (message?.at ?? 0) + changedAgoMs;
  expect(now + errorMs + 1).toBeGreaterThanOrEqual(before);
  expect(now - errorMs - 1).toBeLessThanOrEqual(after);
});

it('a user without access to the status channels receives prices, none of them fresh', async () => {
  await gateway();
  const commands = ['+@connection', '+@pubsub', '+@scripting', '+@read', '+@write', '+time'];
  const url = await createUser(redis, 'narrow', 'resetchannels', '&PRICE_DATA', '~tickbus:*', ...commands);
  const { subscriber, verdicts, prices } = await bot(url);
  await prices.reaches(3);
  await verdicts.first((verdict) => verdict === 'gateway_down');
  expect(subscriber.latest(PRICE_DATA, 'A').reason).toContain('cannot be read');
  expect(verdicts.items).not.toContain('fresh');
});

function milliseconds(time: unknown): number {
  const [seconds, micros] = time as [string, string];
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

it('read and head return no lease if the user may not use GET or the lease key has another type', async () => {
  const { stop } = await gateway();
  stop();
  const admin = await connectPlainClient(redis.url, closing);
  const url = await createUser(redis, 'leaseless', 'allchannels', '~tickbus:*', '+@all', '-get');
  const lease = 'tickbus:{PRICE_DATA}:lease';
  await admin.lPush(lease, 'foreign');
  closing.push(() => admin.del(lease));
  for (const user of [url, redis.url]) {
    const connection = new RedisConnection({ url: user, logger });
    closing.push(() => connection.close());
    const { subscribing } = connection;
    await subscribing.connect();
    const state = await subscribing.read(PRICE_DATA);
    const head = await subscribing.head(PRICE_DATA);
    expect(state.position.seq).toBeGreaterThan(0);
    expect(head.position).toEqual(state.position);
    expect([state.lease, head.lease]).toEqual([undefined, undefined]);
  }
});
