// Copied numbers on a real server: a plain client that may only PUBLISH on a channel writes numbers above its head.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { StaleDataError } from '../../freshness/stale-data-error.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Forged } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Position } from '../../wire/position.ts';
import { pricePayload } from '../channels.fixture.ts';
import {
  closeAfterEach,
  connectPlainClient,
  createUser,
  type PlainClient,
  until,
} from './integration.fixture.ts';

const { PRICE_DATA, TRADE_COMMANDS, FEED_STATUS } = CHANNELS;

let redis: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

let publisher: RedisPublisher;
let attacker: PlainClient;
let subscriber: RedisSubscriber;
let forged: EventRecorder<Forged>;
beforeEach(async () => {
  publisher = new RedisPublisher({ url: redis.url, logger, sender: 'gateway' });
  await publisher.connect();
  closing.push(() => publisher.close());
  const url = await createUser(
    redis,
    'mallory',
    'resetchannels',
    `&${PRICE_DATA}`,
    `&${TRADE_COMMANDS}`,
    '+publish',
    '+@connection',
  );
  attacker = await connectPlainClient(url, closing);
  subscriber = new RedisSubscriber({ url: redis.url, logger });
  closing.push(() => subscriber.close());
  forged = new EventRecorder();
  subscriber.on('forged', forged.add);
});

/** Publishes `count` messages with the numbers after `head`. */
async function forgeAfter(head: Position, channel: string, count: number, document: object): Promise<void> {
  const header = { at: Date.now(), timestamp: Date.now(), sender: 'mallory' };
  for (let n = 1; n <= count; n++) {
    const position = { seq: head.seq + n, epoch: head.epoch };
    await attacker.publish(channel, JSON.stringify({ ...position, ...header, ...document }));
  }
}

it('twenty copied numbers keep none of twenty commands from being handled', async () => {
  const handled: string[] = [];
  const command = (message_type: 'pause' | 'resume', reason: string) => ({
    message_type,
    data: { bot: 'b', reason },
  });
  subscriber.subscribe(TRADE_COMMANDS, ({ data }) =>
    handled.push(String((data as { reason?: string }).reason)),
  );
  await subscriber.startListening();
  const { position } = await publisher.publish(
    TRADE_COMMANDS,
    { bot: 'b', reason: 'first' },
    { type: 'pause' },
  );
  await forgeAfter(position as Position, String(TRADE_COMMANDS), 20, command('resume', 'forged'));
  const real = Array.from({ length: 20 }, (_, index) => `real ${index}`);
  for (const reason of real) await publisher.publish(TRADE_COMMANDS, { bot: 'b', reason }, { type: 'pause' });
  await until(() => handled.includes('real 19'));
  expect(handled.filter((reason) => reason.startsWith('real')).sort()).toEqual(real.sort());
  expect(subscriber.status(TRADE_COMMANDS)).toMatchObject({ lost: 0, mode: 'live' });
  expect(forged.items.flatMap(({ senders }) => senders)).toContain('mallory');
});

/** Publishes a status and a price of a gateway, and resolves when the price is fresh. */
async function freshPrice(): Promise<Position> {
  subscriber.subscribe(PRICE_DATA, () => {});
  await subscriber.startListening();
  const status = {
    feed: 'sim',
    state: 'live',
    interval_ms: 60_000,
    last_frame_ago_ms: 0,
    live_for_ms: 60_000,
  } as const;
  await publisher.publish(FEED_STATUS, status);
  const { position } = await publisher.publish(PRICE_DATA, pricePayload({ symbol: 'A', price: 1 }));
  await until(() => subscriber.latest(PRICE_DATA, 'A').verdict === 'fresh');
  return position as Position;
}

const price = (symbol: string, amount: number) => ({
  message_type: 'price',
  data: pricePayload({ symbol, price: amount }),
});

const given = (symbol: string) => {
  try {
    return subscriber.requireFresh(PRICE_DATA, symbol, { maxAgeMs: 60_000 }).data.price;
  } catch (error) {
    if (error instanceof StaleDataError) return error.verdict;
    throw error;
  }
};

it('requireFresh returns a forged price at most until the next real message on the channel', async () => {
  const head = await freshPrice();
  await forgeAfter(head, String(PRICE_DATA), 1, price('A', 666));
  await until(() => given('A') === 666);
  const afterReal: unknown[] = [];
  // When the real message arrives, `requireFresh` is called at once, and again until the real price is back.
  const recovering = new Promise<void>((resolve) =>
    subscriber.on('status', ({ type }) => {
      if (type === 'recovering') afterReal.push(given('A'));
      if (type === 'live') resolve();
    }),
  );
  await publisher.publish(PRICE_DATA, pricePayload({ symbol: 'B', price: 2 }));
  await recovering;
  afterReal.push(given('A'), given('B'));
  expect(afterReal).toEqual(['recovering', 1, 2]);
  expect(forged.items).toMatchObject([{ isProved: true, senders: ['mallory'] }]);
});

it('requireFresh returns a forged price at most until the next head check', async () => {
  const head = await freshPrice();
  await forgeAfter(head, String(PRICE_DATA), 20, price('A', 666));
  await forgeAfter({ ...head, seq: head.seq + 20 }, String(PRICE_DATA), 1, price('INVENTED', 666));
  await until(() => given('INVENTED') === 666);
  const back = new Promise<void>((resolve) =>
    subscriber.on('status', ({ type }) => type === 'live' && resolve()),
  );
  await back;
  expect([given('A'), given('INVENTED')]).toEqual([1, 'quiet_market']);
  await until(() => forged.items.length > 0);
  expect(forged.items).toMatchObject([{ isProved: true, count: 21, senders: ['mallory'] }]);
});

it('after twenty copied numbers of prices, twenty real prices are the last values', async () => {
  const head = await freshPrice();
  await forgeAfter(head, String(PRICE_DATA), 20, price('A', 666));
  for (let n = 1; n <= 20; n++)
    await publisher.publish(PRICE_DATA, pricePayload({ symbol: `S${n}`, price: n }));
  await until(() => given('S20') === 20);
  const prices = Array.from({ length: 20 }, (_, index) => given(`S${index + 1}`));
  expect(prices).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  expect(given('A')).toBe(1);
});
