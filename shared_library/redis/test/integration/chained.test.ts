// Several calls of a publisher under way at once, over a real server: in order whatever comes between them.

import { performance } from 'node:perf_hooks';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { defineChannel, type Message, RedisPublisher, RedisSubscriber } from '../../index.ts';

const messages = { tick: z.object({ symbol: z.string(), n: z.number() }) };
const COUNT = 5_000;

let redis: LocalRedis;
let operator: ReturnType<typeof createClient>;
beforeAll(async () => {
  redis = await startLocalRedis();
  operator = createClient({ url: redis.url });
  await operator.connect();
});
afterAll(async () => {
  await operator.close();
  await redis.kill();
});
afterEach(() => vi.restoreAllMocks());

describe.each(['message', 'batch'] as const)('framing %s', (framing) => {
  let channels = 0;
  const newChannel = () =>
    defineChannel(`CHAINED_${framing.toUpperCase()}_${++channels}`, {
      kind: 'event',
      history: 256,
      framing,
      messages,
    });

  /** A subscriber, and a promise of the first so many messages that it hears. */
  async function hearing(channel: ReturnType<typeof newChannel>, count: number) {
    const subscriber = new RedisSubscriber({ url: redis.url });
    const heard: Message[] = [];
    const gaps: unknown[] = [];
    subscriber.on('gap', (gap) => gaps.push(gap));
    const all = new Promise<Message[]>((resolve) => {
      const onMessage = (message: Message) => {
        if (heard.push(message) === count) resolve(heard);
      };
      subscriber.subscribe(channel, onMessage, { queueLimit: count });
    });
    await subscriber.startListening();
    return { subscriber, all, gaps };
  }

  const numbers = Array.from({ length: COUNT }, (_, n) => n);

  it('numbers one publisher without holes, in the order of its calls', async () => {
    const channel = newChannel();
    const { subscriber, all } = await hearing(channel, 2 * COUNT);
    await using publisher = new RedisPublisher({ url: redis.url });
    for (let round = 0; round < 2; round++) {
      const published = await Promise.all(
        numbers.map((n) => publisher.publish(channel, { symbol: `S${n % 100}`, n })),
      );
      expect(published.map(({ position }) => position?.seq)).toEqual(
        numbers.map((n) => round * COUNT + n + 1),
      );
    }
    expect((await all).map(({ data }) => (data as { n: number }).n)).toEqual([...numbers, ...numbers]);
    await subscriber.close();
  });

  it('keeps each of two publishers in its order, while the server forgets the scripts again and again', async () => {
    const channel = newChannel();
    const { subscriber, all, gaps } = await hearing(channel, 2 * COUNT);
    await using one = new RedisPublisher({ url: redis.url, sender: 'one' });
    await using two = new RedisPublisher({ url: redis.url, sender: 'two' });
    let isDone = false;
    const forgetting = (async () => {
      while (!isDone) await operator.sendCommand(['SCRIPT', 'FLUSH']);
    })();
    const receipts = await Promise.all(
      numbers.flatMap((n) => [one, two].map((publisher) => publisher.publish(channel, { symbol: 'A', n }))),
    );
    isDone = true;
    await forgetting;

    const heard = await all;
    for (const sender of ['one', 'two'])
      expect(
        heard.filter((message) => message.sender === sender).map(({ data }) => (data as { n: number }).n),
      ).toEqual(numbers);
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 2 * COUNT }, (_, index) => index + 1));
    expect(new Set(receipts.map(({ position }) => position?.seq)).size).toBe(2 * COUNT);
    expect(gaps).toEqual([]);
    await subscriber.close();
  });

  it('is refused without effect by whatever the server does not allow, and goes on without a hole', async () => {
    const channel = newChannel();
    const user = `writer_${channel.name}`;
    const acl = (...rules: string[]) => operator.sendCommand(['ACL', 'SETUSER', user, ...rules]);
    const refusals: readonly (readonly [deny: () => Promise<unknown>, allow: () => Promise<unknown>])[] = [
      [() => acl('resetchannels'), () => acl('allchannels')],
      ...['get', 'hmget', 'time', 'hset', 'publish'].map(
        (name) => [() => acl(`-${name}`), () => acl(`+${name}`)] as const,
      ),
      [() => operator.configSet('maxmemory', '1'), () => operator.configSet('maxmemory', '0')],
    ];
    await acl('on', '>secret', 'allkeys', 'allchannels', '+@all');
    await using publisher = new RedisPublisher({ url: redis.url.replace('//', `//${user}:secret@`) });
    let count = 0;
    const publish = async () => {
      const { position } = await publisher.publish(channel, { symbol: 'A', n: count });
      expect(position?.seq).toBe(++count);
    };
    await operator.configSet('slowlog-log-slower-than', '0');
    /** Whether the last message was made ready: the tenth argument of its call, behind four keys, is its stamp. */
    const wasReady = async () => {
      const log = (await operator.sendCommand(['SLOWLOG', 'GET', '16'])) as [
        number,
        number,
        number,
        string[],
      ][];
      const call = log
        .map(([, , , words]) => words)
        .find(([name, , , key]) => name === 'EVALSHA' && key?.includes(channel.name));
      return call?.[16] !== '';
    };
    /** On a busy machine a stamp may be no use now and then. */
    const publishUntilReady = async () => {
      for (const last = count + 100; count < last; ) {
        await publish();
        if (await wasReady()) return;
      }
      throw new Error('Nothing goes out as it was made ready.');
    };
    await publishUntilReady();
    for (const [deny, allow] of refusals) {
      await deny();
      const refused = expect.stringMatching(/^TICKBUS_(DENIED|SERVER_ERROR)$/);
      await expect(publish()).rejects.toMatchObject({ code: refused });
      await allow();
      await publishUntilReady();
    }
    await operator.configSet('slowlog-log-slower-than', '10000');
    const kept = await operator.xRange(`tickbus:{${channel.name}}:history`, '-', '+');
    const numbers = (kept ?? []).map(({ message }) => JSON.parse(String(message.m)).seq);
    expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index + 1).slice(-256));
  });

  it('is stamped by the server where the publisher is wrong about its time', async () => {
    const channel = newChannel();
    const { subscriber, all } = await hearing(channel, 4 * 256);
    await using publisher = new RedisPublisher({ url: redis.url });
    const now = performance.now.bind(performance);
    for (const wrongBy of [0, 3_600_000, -3_600_000, 0]) {
      vi.spyOn(performance, 'now').mockImplementation(() => now() + wrongBy);
      await Promise.all(numbers.slice(0, 256).map((n) => publisher.publish(channel, { symbol: `ü${n}`, n })));
    }
    const after = Date.now();
    const heard = await all;
    for (const { at = 0, timestamp } of heard) {
      expect(at).toBeGreaterThanOrEqual(timestamp - 5);
      expect(at).toBeLessThanOrEqual(after);
    }
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_024 }, (_, index) => index + 1));
    const kept = await operator.xRange(`tickbus:{${channel.name}}:history`, '-', '+');
    expect((kept ?? []).map(({ message }) => JSON.parse(String(message.m)))).toEqual(
      heard.slice(-256).map(({ seq, at, data }) => expect.objectContaining({ seq, at, data })),
    );
    await subscriber.close();
  });
});
