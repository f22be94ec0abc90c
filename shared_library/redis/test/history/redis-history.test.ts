import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { From } from '../../subscribe/from.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { HoldingProxy } from '../integration/holding-proxy.fixture.ts';
import { closeAfterEach, createUser } from '../integration/integration.fixture.ts';
import { type BarsChannel, Bot, barsChannel, range } from './bars.fixture.ts';
import { describeHistories } from './history-suite.ts';

const TIMEOUT = { timeout: 120_000 };
const closing = closeAfterEach();
let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

describeHistories('redis', async () => new RedisConnection({ url: redis.url, logger }), 40);

async function publishAll(channel: BarsChannel, from: number, to: number, url = redis.url): Promise<void> {
  const publisher = new RedisPublisher({ url, logger });
  await Promise.all(range(from, to).map((n) => publisher.publish(channel, { name: 'a', n })));
  await publisher.close();
}

function newSubscriber(url = redis.url): RedisSubscriber {
  const subscriber = new RedisSubscriber({ url, logger });
  closing.push(() => subscriber.close({ timeoutMs: 0 }));
  return subscriber;
}

async function join(channel: BarsChannel, from: From): Promise<Bot> {
  const subscriber = newSubscriber();
  const bot = new Bot(subscriber, channel, ['a'], from);
  await subscriber.startListening();
  return bot;
}

it(
  'a server that lost its memory is a gap with cause epoch, and what it has since follows',
  TIMEOUT,
  async () => {
    const channel = barsChannel('FORGOTTEN');
    await publishAll(channel, 1, 5);
    const before = await join(channel, { last: 1 });
    const { epoch = 0, seq = 0 } = before.messages[0] ?? {};
    before.stop();
    await redis.answers('FLUSHALL');
    const unused = await join(channel, { position: { epoch, seq } });
    expect([unused.messages.length, unused.gaps]).toMatchObject([0, [{ cause: 'epoch', epoch, from: 6 }]]);
    unused.stop();
    await publishAll(channel, 6, 8);
    const bot = await join(channel, { position: { epoch, seq } });
    expect(bot.numbers('a')).toEqual([6, 7, 8]);
    expect(bot.gaps).toMatchObject([{ cause: 'epoch', epoch, from: 6, to: undefined, lost: undefined }]);
  },
);

it('a link that is cut during the read delivers everything once', TIMEOUT, async () => {
  const channel = barsChannel('CUT');
  await publishAll(channel, 1, 220);
  const proxy = await HoldingProxy.start(redis.port);
  closing.push(() => proxy[Symbol.asyncDispose]());
  const subscriber = newSubscriber(proxy.url);
  const other = new Bot(subscriber, channel, ['a']);
  await subscriber.startListening();
  for (let round = 0; round < 5; round++) {
    const last = 220 + round * 10;
    const statuses = new EventRecorder<string>();
    const stop = subscriber.on('status', ({ type }) => statuses.add(type));
    proxy.holdsRequests = true;
    const bot = new Bot(subscriber, channel, ['a'], { last: 200 });
    await publishAll(channel, last + 1, last + 10);
    expect(bot.messages).toEqual([]);
    proxy.holdsRequests = false;
    proxy.cut();
    await statuses.first((type) => type === 'live');
    await expect.poll(() => bot.numbers('a').at(-1), { timeout: 60_000 }).toBe(last + 10);
    expect(bot.numbers('a')).toEqual(range(bot.numbers('a')[0] ?? 0, last + 10));
    expect(bot.numbers('a')[0]).toBeLessThanOrEqual(last - 189);
    expect(other.numbers('a')).toEqual(range(221, last + 10));
    bot.stop();
    stop();
  }
});

it('a user who may not read histories gets live messages, an error and a gap', TIMEOUT, async () => {
  const channel = barsChannel('DENIED');
  await publishAll(channel, 1, 5);
  const url = await createUser(redis, 'live', '+@all', '-xrevrange', '~*', '&*');
  const subscriber = newSubscriber(url);
  const failed = new EventRecorder<string>();
  subscriber.on('status', (status) => status.type === 'recovery_failed' && failed.add(status.error.code));
  const bot = new Bot(subscriber, channel, ['a'], { position: { epoch: 1, seq: 2 } });
  await subscriber.startListening();
  expect(failed.items).toEqual(['TICKBUS_DENIED']);
  expect(bot.gaps).toMatchObject([{ cause: 'loss', epoch: 1, from: 3, to: undefined }]);
  await publishAll(channel, 6, 6);
  await expect.poll(() => bot.numbers('a'), { timeout: 60_000 }).toEqual([6]);
});
