// Delivery over a real server under faults: accepted messages arrive once and in order, or are reported as lost.

import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { deferred, EventRecorder, silentLogger } from '@tickbus/test-kit';
import { beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Clock } from '../../runtime/clock.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import type { Gap } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, killClients, untilAccepted } from './integration.fixture.ts';

const schema = { note: z.object({ n: z.number() }) };
const KEPT = defineChannel('KEPT', { kind: 'event', history: 10_000, messages: schema });
const FLEETING = defineChannel('FLEETING', { kind: 'event', messages: schema });

let redis: LocalRedis;
const closing = closeAfterEach();
beforeEach(async () => {
  redis = await startLocalRedis();
  closing.push(() => redis.kill());
});

it('a late subscriber receives the last price of every symbol, then live prices', async () => {
  const publisher = newPublisher();
  for (const [symbol, price] of [
    ['A', 1],
    ['B', 2],
    ['A', 3],
  ] as const) {
    await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ symbol, price }));
  }
  const subscriber = newSubscriber();
  const received: string[] = [];
  const done = new Promise<void>((resolve) => {
    subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data, snapshot }) => {
      received.push(`${data.symbol}${data.price}${snapshot ? ' snapshot' : ''}`);
      if (data.price === 4) resolve();
    });
  });
  const live = new Promise<void>((resolve) =>
    subscriber.on('status', ({ type }) => type === 'live' && resolve()),
  );
  await subscriber.startListening();
  await live;
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ symbol: 'B', price: 4 }));
  await done;
  expect(received).toEqual(['B2 snapshot', 'A3 snapshot', 'B4']);
});

it('50,000 messages published at once arrive once and in order at two handlers', async () => {
  const { publisher, subscriber, history } = await recordingSubscriber(FLEETING);
  let second = 0;
  subscriber.subscribe(FLEETING, () => second++, { queueLimit: 100_000 });
  const count = 50_000;
  await Promise.all(Array.from({ length: count }, (_, n) => publisher.publish(FLEETING, { n })));
  await history.until(count - 1);
  expect(history.numbers).toEqual(Array.from({ length: count }, (_, n) => n));
  expect(second).toBe(count);
  expect(history.gaps.items).toEqual([]);
});

it('two subscribers receive the messages of two publishers in the same order', async () => {
  const first = await recordingSubscriber(FLEETING);
  const second = await recordingSubscriber(FLEETING);
  const publishers = [newPublisher(), newPublisher()];
  await Promise.all(Array.from({ length: 2_000 }, (_, n) => publishers[n % 2]?.publish(FLEETING, { n })));
  await newPublisher().publish(FLEETING, { n: -1 });
  await Promise.all([first.history.until(-1), second.history.until(-1)]);
  expect(first.history.numbers.length).toBe(2_001);
  expect(second.history.numbers).toEqual(first.history.numbers);
});

it.each([
  ['repaired from history', KEPT],
  ['reported with its range', FLEETING],
])(
  'a loss during dropped links is %s; no message is lost silently, duplicated or out of order',
  async (_, channel) => {
    const { publisher, history } = await recordingSubscriber(channel);
    const accepted: number[] = [];
    let n = 0;
    for (let cut = 0; cut < 10; cut++) {
      for (let i = 0; i < 200; i++, n++) {
        const sent = n;
        await publisher.publish(channel, { n: sent }).then(
          () => accepted.push(sent),
          (error: TickbusError) => expect(error.code).toMatch(/NOT_CONNECTED|OUTCOME_UNKNOWN/),
        );
      }
      await killClients(redis);
    }
    // Publishes until a message arrives, because the subscriber may reconnect later than the publisher.
    for (const first = n; !history.numbers.some((number) => number >= first); n++) {
      n = await publishUntilAccepted(publisher, channel, n);
      accepted.push(n);
      await sleep(10);
    }
    if (channel === KEPT) await history.until(n - 1);
    const lost = history.gaps.items.reduce((sum, gap) => sum + (gap.lost ?? Number.NaN), 0);
    expect(history.numbers).toEqual([...new Set(history.numbers)].sort((a, b) => a - b));
    expect(history.seqs.length + lost).toBe(history.seqs.at(-1));
    if (channel === KEPT) expect(accepted.filter((number) => !history.numbers.includes(number))).toEqual([]);
  },
);

it('a server restart after kill -9 is reported as an epoch gap, and delivery continues', async () => {
  const { publisher, history } = await recordingSubscriber(KEPT);
  await publisher.publish(KEPT, { n: 1 });
  await history.until(1);
  await redis.kill();
  await expect(publisher.publish(KEPT, { n: 2 })).rejects.toMatchObject({
    code: expect.stringMatching(/NOT_CONNECTED|UNKNOWN/),
  });
  await redis.start();
  const last = await publishUntilAccepted(publisher, KEPT, 3);
  await history.until(last);
  expect(history.gaps.items[0]).toMatchObject({ cause: 'epoch', from: 2, to: undefined });
  expect(history.numbers).toEqual([1, last]);
});

it('the loss of the last message is found by the next head check', async () => {
  const { history } = await recordingSubscriber(FLEETING);
  const other = await connectPlainClient(redis.url, closing);
  // Sets the head as if the first message of the channel had been published and lost on its way.
  await other.hSet('tickbus:{FLEETING}:head', { epoch: '5', seq: '1' });
  await history.gaps.reaches(1);
  expect(history.gaps.items).toMatchObject([
    { cause: 'loss', epoch: 5, from: 1, to: 1, lost: 1, repaired: false },
  ]);
});

/** The deadline is generous: these tests are not about timing. */
it.each([
  ['behind', 'ahead', -1, 1],
  ['ahead', 'behind', 1, -1],
])(
  'a command expires on time if the sender clock is an hour %s and the bot clock an hour %s',
  async (_sender, _bot, senderOffset, botOffset) => {
    const hour = 3_600_000;
    const publisher = newPublisher(offsetClock(senderOffset * hour));
    const subscriber = newSubscriber(offsetClock(botOffset * hour));
    const handled: string[] = [];
    const busy = deferred();
    const expired = new Promise<unknown>((resolve) =>
      subscriber.on('expired', ({ message }) => resolve(message.data)),
    );
    const cancel = (order: string, expiresInMs: number) =>
      publisher.publish(
        CHANNELS.TRADE_COMMANDS,
        { bot: 'b', order_id: order },
        { type: 'cancel_order', expiresInMs },
      );
    const onCancel = async ({ data }: { data: { order_id: string } }) => {
      handled.push(data.order_id);
      await busy.promise;
    };
    subscriber.subscribe(CHANNELS.TRADE_COMMANDS, onCancel, { types: ['cancel_order'] });
    await subscriber.startListening();
    await cancel('first', 20_000);
    await cancel('second', 50);
    await sleep(60);
    busy.resolve();
    expect(await expired).toMatchObject({ order_id: 'second' });
    expect(handled).toEqual(['first']);
  },
);

/** A system clock with a wrong wall time; the monotonic time is correct. */
function offsetClock(byMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + byMs };
}

function newPublisher(clock = systemClock): RedisPublisher {
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger, deadlineMs: 20_000, clock });
  closing.push(() => publisher.close());
  return publisher;
}

function newSubscriber(clock = systemClock): RedisSubscriber {
  const subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger, clock });
  closing.push(() => subscriber.close());
  return subscriber;
}

async function recordingSubscriber(channel: Channel) {
  const [publisher, subscriber] = [newPublisher(), newSubscriber()];
  const history = new History();
  subscriber.on('status', (status) => status.type === 'gap' && history.gaps.add(status));
  subscriber.subscribe(channel, ({ data, seq }) => history.add((data as { n: number }).n, seq ?? 0), {
    queueLimit: 100_000,
  });
  const live = new Promise<void>((resolve) =>
    subscriber.on('status', ({ type }) => type === 'live' && resolve()),
  );
  await subscriber.startListening();
  await live;
  return { publisher, subscriber, history };
}

/** Everything that one handler received, and the reported gaps. */
class History {
  readonly numbers: number[] = [];
  readonly seqs: number[] = [];
  readonly gaps = new EventRecorder<Gap>();
  /** Waiting callers by number. A map, because a search is too slow for tests with 50,000 messages. */
  readonly #waiting = new Map<number, () => void>();

  add(n: number, seq: number): void {
    this.numbers.push(n);
    this.seqs.push(seq);
    this.#waiting.get(n)?.();
  }

  until(n: number): Promise<void> {
    if (this.numbers.includes(n)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(n, resolve));
  }
}

/** Publishes increasing numbers from `n` on until one is accepted. Returns that number. */
async function publishUntilAccepted(publisher: RedisPublisher, channel: Channel, n: number): Promise<number> {
  let next = n - 1;
  await untilAccepted(() => publisher.publish(channel, { n: ++next }));
  return next;
}
