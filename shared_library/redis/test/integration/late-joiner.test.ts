// A late joiner of a large channel: it reads what it needs, in chunks, and blocks neither the server nor its link.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { closeAfterEach, connectPlainClient, type PlainClient } from './integration.fixture.ts';

const PRICES = defineChannel('PRICES', {
  kind: 'state',
  key: 'symbol',
  messages: { tick: z.object({ symbol: z.string(), price: z.number() }) },
});

let redis: LocalRedis;
let admin: PlainClient;
const closing = closeAfterEach();
beforeEach(async () => {
  redis = await startLocalRedis();
  closing.push(() => redis.kill());
  admin = await connectPlainClient(redis.url, closing);
});

/** Stores the last values of S0, S1, ... with the price 1, as their publisher would. */
async function storeLastValues(count: number): Promise<void> {
  const script = `for i = ARGV[1], ARGV[2] - 1 do
    redis.call('HSET', KEYS[1], 'S' .. i, '{"seq":' .. (i + 1) .. ',"epoch":1000,"at":1,"message_type":"tick","data":'
      .. '{"symbol":"S' .. i .. '","price":1},"timestamp":1,"sender":"feed"}')
  end`;
  for (let from = 0; from < count; from += 5_000)
    await admin.eval(script, {
      keys: ['tickbus:{PRICES}:last'],
      arguments: [String(from), String(Math.min(from + 5_000, count))],
    });
  const branch = /run_id:(\w+).*master_replid:(\w+)/s.exec(await admin.info());
  await admin.hSet('tickbus:{PRICES}:head', {
    epoch: '1000',
    seq: String(count),
    branch: `${branch?.[1]}:${branch?.[2]}`,
  });
}

/** A listening subscriber, and the newest price of each symbol that its handler got. */
async function join(keys?: readonly string[]) {
  const subscriber = new RedisSubscriber({ url: redis.url, logger });
  closing.push(() => subscriber.close({ timeoutMs: 0 }));
  const prices = new Map<string, number>();
  const statuses: string[] = [];
  subscriber.on('status', ({ type }) => statuses.push(type));
  subscriber.subscribe(PRICES, ({ data }) => prices.set(data.symbol, data.price), { keys });
  await subscriber.startListening();
  return { subscriber, prices, statuses };
}

async function bytesSent(): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await admin.info('stats'))?.[1]);
}

async function callsOf(command: string): Promise<number> {
  return Number(
    new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1] ?? 0,
  );
}

it('with one key reads its value alone, however many others there are', async () => {
  await storeLastValues(100_000);
  const before = await bytesSent();
  const { prices } = await join(['S77777']);
  expect([...prices]).toEqual([['S77777', 1]]);
  // All values together have 12 MB.
  expect((await bytesSent()) - before).toBeLessThan(200_000);
  expect(await callsOf('hscan')).toBe(0);
});

it('without keys reads all values in chunks, on a link that stays up', async () => {
  await storeLastValues(50_000);
  const { prices, statuses, subscriber } = await join();
  await expect.poll(() => prices.size, { timeout: 20_000 }).toBe(50_000);
  expect(subscriber.status(PRICES)).toMatchObject({ gaps: 0, lost: 0, invalid: 0 });
  // A chunk has at most about 4,000 values.
  expect(await callsOf('hscan')).toBeGreaterThan(10);
  expect(statuses.filter((type) => type === 'stale' || type === 'disconnected')).toEqual([]);
});

it('ends with the newest value of each key if all change during its reads', async () => {
  const publisher = new RedisPublisher({ url: redis.url, logger });
  closing.push(() => publisher.close());
  await storeLastValues(3_000);
  const newest = new Map(Array.from({ length: 3_000 }, (_, index) => [`S${index}`, 1]));
  let isPublishing = true;
  const publishing = (async () => {
    for (let price = 2; isPublishing; price++)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => {
          const symbol = `S${(price * 50 + index * 7) % 3_000}`;
          newest.set(symbol, price);
          return publisher.publish(PRICES, { symbol, price });
        }),
      );
  })();
  const some = [...newest.keys()].filter((_, index) => index % 3 === 0);
  const joined = [];
  for (let round = 0; round < 4; round++) joined.push(await join(), await join(some));
  isPublishing = false;
  await publishing;
  for (const [index, { prices, subscriber }] of joined.entries()) {
    const wanted = index % 2 === 0 ? [...newest.keys()] : some;
    const expected = Object.fromEntries(wanted.map((symbol) => [symbol, newest.get(symbol)]));
    await expect.poll(() => Object.fromEntries(prices), { timeout: 10_000 }).toEqual(expected);
    expect(subscriber.status(PRICES)).toMatchObject({ gaps: 0, lost: 0 });
  }
});
