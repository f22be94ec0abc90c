// Demand over a real Redis: the gateway sees it, and a bot without the right to declare it still receives.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

let redis: LocalRedis;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
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
  const wants = async (expected: Record<string, number>) => {
    for (;;) {
      const wanted = Object.fromEntries(await publisher.wanted(CHANNELS.PRICE_DATA));
      if (JSON.stringify(wanted) === JSON.stringify(expected)) return;
    }
  };
  return { publisher, wants };
}

it('publisher.wanted reports the requested symbols and their subscribers', async () => {
  const { wants } = gateway();
  const one = bot(redis.url, 'AAPL');
  const two = bot(redis.url, 'AAPL', 'MSFT');
  await one.subscriber.startListening();
  await wants({ AAPL: 1 });
  await two.subscriber.startListening();
  await wants({ AAPL: 2, MSFT: 1 });
  await two.subscriber.close();
  await wants({ AAPL: 1 });
});

it('a read-only bot reports TICKBUS_DENIED once and receives its symbols', async () => {
  const { publisher } = gateway();
  const admin = await createClient({ url: redis.url }).connect();
  await admin.sendCommand(
    'ACL SETUSER reader on >secret resetchannels &PRICE_DATA &FEED_STATUS &INSTRUMENT_STATUS %R~tickbus:* +@connection +@pubsub +@scripting +@read +time'.split(
      ' ',
    ),
  );
  admin.destroy();
  const { subscriber, prices, refusals } = bot(redis.url.replace('//', '//reader:secret@'), 'AAPL');
  await subscriber.startListening();
  await refusals.reaches(1);
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 1, timestamp: 1 });
  await prices.reaches(1);
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 2, timestamp: 2 });
  await prices.reaches(2);
  expect(refusals.items).toEqual(['TICKBUS_DENIED']);
});
