// Subscriptions with `from` on any server: late bots, resuming, and partitions.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { Random } from '@tickbus/test-kit/random';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { partitionOf } from '../../channel/partitions.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { From } from '../../subscribe/from.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';
import type { Position } from '../../wire/position.ts';
import { useConnections } from '../connections.fixture.ts';
import { leasedPublisher } from '../partitions/partitions.fixture.ts';
import { type BarsChannel, Bot, barsChannel, range } from './bars.fixture.ts';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** More than enough for a machine that is ten times slower. */
const TIMEOUT = { timeout: 300_000 };
const WAIT = { timeout: 120_000, interval: 5 };
let channels = 0;

/** @param rounds how often a late bot joins while bars are published */
export function describeHistories(name: string, connect: () => Promise<Connection>, rounds: number): void {
  describe(`from, on ${name}`, () => {
    const { open, closing } = useConnections(connect);
    const newChannel = (ofChannel?: number, partitions?: number) =>
      barsChannel(`${name.toUpperCase()}_BARS_${++channels}`, ofChannel, partitions);
    /** A subscriber of its own, with one bot. */
    const join = async (channel: BarsChannel, keys: readonly string[] | undefined, from?: From) => {
      const subscriber = new RedisSubscriber({ connection: await open(), logger });
      closing.push(() => subscriber.close({ timeoutMs: 0 }));
      const failures = new EventRecorder<TickbusError>();
      subscriber.on('status', (status) => status.type === 'recovery_failed' && failures.add(status.error));
      const bot = new Bot(subscriber, channel, keys, from);
      await subscriber.startListening();
      return { bot, subscriber, failures };
    };
    const publisherOf = async () => {
      const publisher = new RedisPublisher({ connection: await open(), deadlineMs: 60_000 });
      closing.push(() => publisher.close());
      return publisher;
    };
    const publishAll = (
      publisher: RedisPublisher,
      channel: BarsChannel,
      key: string,
      from: number,
      to: number,
    ) => Promise.all(range(from, to).map((n) => publisher.publish(channel, { name: key, n })));
    const untilLast = (bot: Bot, key: string, n: number) =>
      expect.poll(() => bot.numbers(key).at(-1), WAIT).toBe(n);

    it(
      `gives a late bot 200 bars and every later one, while bars are published, ${rounds} times`,
      TIMEOUT,
      async () => {
        console.log(`SEED=${SEED}`);
        const random = new Random(SEED);
        const channel = newChannel(100_000);
        const connection = await open();
        await useLeasesOnce(connection, channel);
        const { publisher, close } = await leasedPublisher(connection, channel);
        closing.push(close);
        let sent = 0;
        let isPublishing = true;
        await publishAll(publisher, channel, 'a', 1, 300);
        sent = 300;
        const publishing = (async () => {
          while (isPublishing) {
            const size = random.int(1, 12);
            const batch = publishAll(publisher, channel, 'a', sent + 1, sent + size);
            const others = publishAll(publisher, channel, 'b', sent + 1, sent + random.int(0, 3));
            sent += size;
            await Promise.all([batch, others]);
          }
        })();
        const subscriber = new RedisSubscriber({ connection: await open(), logger });
        closing.push(() => subscriber.close({ timeoutMs: 0 }));
        await subscriber.startListening();
        for (let round = 0; round < rounds; round++) {
          const before = sent;
          const bot = new Bot(subscriber, channel, random.percent(50) ? ['a'] : ['a', 'b'], { last: 200 });
          await expect.poll(() => bot.messages.some(({ snapshot }) => !snapshot), WAIT).toBe(true);
          const after = sent;
          bot.stop();
          const numbers = bot.numbers('a');
          const [first = Number.NaN] = numbers;
          expect(numbers).toEqual(range(first, numbers.at(-1) ?? 0));
          expect(first).toBeGreaterThanOrEqual(before - 12 - 199);
          expect(first).toBeLessThanOrEqual(after - 199);
          expect(bot.gaps).toEqual([]);
        }
        isPublishing = false;
        await publishing;
      },
    );

    it('gives late readers the last 20 fills of a user', TIMEOUT, async () => {
      const fill = z.object({ order: z.string() });
      const FILLS = defineChannel(`FILLS_${++channels}`, {
        kind: 'event',
        history: 1_000,
        messages: { fill },
      });
      const publisher = await publisherOf();
      for (let n = 1; n <= 30; n++) await publisher.publish(FILLS, { order: `order-${n}` });
      const subscriber = new RedisSubscriber({ connection: await open(), logger });
      closing.push(() => subscriber.close({ timeoutMs: 0 }));
      const loop = subscriber.messages(FILLS, { from: { last: 20 } });
      await subscriber.startListening();
      await publisher.publish(FILLS, { order: 'order-31' });
      const received: [string, boolean][] = [];
      for await (const { data, snapshot } of loop)
        if (received.push([data.order, snapshot === true]) === 21) break;
      expect(received).toEqual(range(11, 31).map((n) => [`order-${n}`, n < 31]));
    });

    it(
      'resumes after a restart of the subscriber, and reports what is no longer stored',
      TIMEOUT,
      async () => {
        const channel = newChannel(10);
        const publisher = await publisherOf();
        await publishAll(publisher, channel, 'a', 1, 5);
        const first = await join(channel, ['a'], { last: 2 });
        await untilLast(first.bot, 'a', 5);
        expect(first.bot.numbers('a')).toEqual([4, 5]);
        const { epoch = 0, seq = 0 } = first.bot.messages.at(-1) ?? {};
        await first.subscriber.close();
        await publishAll(publisher, channel, 'a', 6, 105);
        const second = await join(channel, ['a'], { position: { epoch, seq } });
        await untilLast(second.bot, 'a', 105);
        expect([second.bot.numbers('a'), second.bot.gaps]).toEqual([range(6, 105), []]);
        await second.subscriber.close();
        await publishAll(publisher, channel, 'a', 106, 400);
        const third = await join(channel, ['a'], { position: { epoch, seq } });
        await untilLast(third.bot, 'a', 400);
        expect(third.bot.numbers('a')).toEqual(range(150, 400));
        expect(third.bot.gaps).toMatchObject([{ cause: 'loss', epoch, from: 6, to: 149, lost: 144 }]);
        await publishAll(publisher, channel, 'a', 401, 401);
        await untilLast(third.bot, 'a', 401);
      },
    );

    it(
      'with 16 partitions, each key has its history, and positions resume all of them',
      TIMEOUT,
      async () => {
        const keys = range(1, 12).map((n) => `K${n}`);
        const connection = await open();
        const channel = newChannel(100, 16);
        await useLeasesOnce(connection, channel, 16);
        const { publisher, close } = await leasedPublisher(connection, channel);
        closing.push(close);
        for (const key of keys) await publishAll(publisher, channel, key, 1, 40);
        const { bot, subscriber } = await join(channel, keys, { last: 10 });
        const late = new Bot(subscriber, channel, keys.slice(0, 3), { last: 5 });
        await untilLast(late, 'K3', 40);
        for (const key of keys) {
          await untilLast(bot, key, 40);
          expect(bot.numbers(key)).toEqual(range(31, 40));
        }
        for (const key of keys) await publishAll(publisher, channel, key, 41, 43);
        for (const key of keys) {
          await untilLast(bot, key, 43);
          expect(bot.numbers(key)).toEqual(range(31, 43));
        }
        for (const key of keys.slice(0, 3)) await untilLast(late, key, 43);
        expect(keys.slice(0, 3).map((key) => late.numbers(key))).toEqual(Array(3).fill(range(36, 43)));
        const positions: Record<string, Position> = {};
        for (const { data, epoch = 0, seq = 0 } of bot.messages)
          if (data.n <= 42) positions[data.name] = { epoch, seq };
        await subscriber.close();
        for (const key of keys) await publishAll(publisher, channel, key, 44, 45);
        const resumed = await join(channel, keys, { positions });
        for (const key of keys) {
          await untilLast(resumed.bot, key, 45);
          expect(resumed.bot.numbers(key)).toEqual(range(43, 45));
        }
        const one = await join(channel, ['K7'], { position: positions.K7 as Position });
        await untilLast(one.bot, 'K7', 45);
        expect([one.bot.numbers('K7'), one.bot.gaps]).toEqual([range(43, 45), []]);
        const whole = await join(channel, undefined, { time: 0 });
        for (const key of keys) {
          await untilLast(whole.bot, key, 45);
          expect(whole.bot.numbers(key)).toEqual(range(1, 45));
        }
      },
    );

    it(
      'a position of one of several partitions is refused for keys of others, with a gap',
      TIMEOUT,
      async () => {
        const channel = newChannel(100, 4);
        const publisher = await publisherOf();
        await publishAll(publisher, channel, 'a', 1, 5);
        const other =
          range(1, 20)
            .map(String)
            .find((key) => partitionOf(key, 4) !== partitionOf('a', 4)) ?? '';
        const { bot, failures } = await join(channel, ['a', other], { position: { epoch: 7, seq: 3 } });
        const error = await failures.first(() => true);
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'from' });
        expect(error.message).toContain('has 4 partitions');
        await publishAll(publisher, channel, 'a', 6, 6);
        await untilLast(bot, 'a', 6);
        expect(bot.numbers('a')).toEqual([6]);
        expect(bot.gaps).toMatchObject([
          { cause: 'epoch', epoch: 7, from: 4, to: undefined },
          { cause: 'epoch', epoch: 7, from: 4, to: undefined },
        ]);
      },
    );
  });
}
