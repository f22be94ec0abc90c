// Demand over a real Redis: the gateway sees it, and a bot without the right to declare it still receives.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, createUser } from './integration.fixture.ts';

let redis: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

function bot(url: string, ...keys: string[]) {
  const prices = new EventRecorder<string>();
  const refusals = new EventRecorder<string>();
  const subscriber = new RedisSubscriber({ url, logger });
  subscriber.on('status', (status) => status.type === 'demand_refused' && refusals.add(status.error.code));
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => prices.add(data.symbol), { keys });
  closing.push(() => subscriber.close());
  return { subscriber, prices, refusals };
}

function gateway() {
  const publisher = new RedisPublisher({ url: redis.url, logger });
  closing.push(() => publisher.close());
  const untilWanted = async (expected: Record<string, number>) => {
    for (;;) {
      const wanted = Object.fromEntries(await publisher.wanted(CHANNELS.PRICE_DATA));
      if (JSON.stringify(wanted) === JSON.stringify(expected)) return;
    }
  };
  return { publisher, untilWanted };
}

it('publisher.wanted reports the requested symbols and their subscribers', async () => {
  const { untilWanted } = gateway();
  const first = bot(redis.url, 'AAPL');
  const second = bot(redis.url, 'AAPL', 'MSFT');
  await first.subscriber.startListening();
  await untilWanted({ AAPL: 1 });
  await second.subscriber.startListening();
  await untilWanted({ AAPL: 2, MSFT: 1 });
  await second.subscriber.close();
  await untilWanted({ AAPL: 1 });
});

it('a read-only bot reports TICKBUS_DENIED once and receives its symbols', async () => {
  const { publisher } = gateway();
  const channels = ['&PRICE_DATA', '&FEED_STATUS', '&INSTRUMENT_STATUS'];
  const commands = ['+@connection', '+@pubsub', '+@scripting', '+@read', '+time'];
  const url = await createUser(redis, 'reader', 'resetchannels', ...channels, '%R~tickbus:*', ...commands);
  const { subscriber, prices, refusals } = bot(url, 'AAPL');
  await subscriber.startListening();
  await refusals.reaches(1);
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ symbol: 'AAPL' }));
  await prices.reaches(1);
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ symbol: 'AAPL', price: 2 }));
  await prices.reaches(2);
  expect(refusals.items).toEqual(['TICKBUS_DENIED']);
});

it('ignores entries that no subscriber can have declared, and removes those that would never expire', async () => {
  const { publisher, untilWanted } = gateway();
  const demand = 'tickbus:{PRICE_DATA}:demand';
  const [soon, never] = [Date.now() + 600_000, '9000000000000000'];
  const add = (score: number | string, entry: string) =>
    `EVAL "return redis.call('ZADD', KEYS[1], ARGV[1], ${entry})" 1 ${demand} ${score}`;
  const long = add(soon, "string.rep('x', 1000000)");
  await redis.answers(long, add(never, "'a:never'"), add(soon, "'a:' .. string.char(10) .. 'MSFT'"));
  expect(Object.fromEntries(await publisher.wanted(CHANNELS.PRICE_DATA))).toEqual({ MSFT: 1 });
  await redis.answers(`ZREMRANGEBYSCORE ${demand} ${soon} ${soon}`);
  await bot(redis.url, 'AAPL').subscriber.startListening();
  await untilWanted({ AAPL: 1 });
  expect(await redis.answers(`ZCARD ${demand}`)).toBe(':1\r\n');
});
