// Subscriptions that begin with the last stored messages.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { Bot, range } from './bars.fixture.ts';
import { BARS, BarsWorld, NOTES } from './bars-world.fixture.ts';

describe('from: last', () => {
  it('delivers the last messages of each key in order, marked as snapshot, then live ones', async () => {
    const world = new BarsWorld();
    for (let round = 0; round < 150; round++)
      for (const key of ['a', 'b', 'c']) await world.send(BARS, key, 2);
    const bot = await world.bot(BARS, ['a', 'b'], { last: 200 });
    expect([bot.numbers('a'), bot.numbers('b'), bot.numbers('c')]).toEqual([
      range(101, 300),
      range(101, 300),
      [],
    ]);
    const seqs = bot.messages.map(({ seq = 0 }) => seq);
    expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
    expect(bot.stored).toBe(400);
    await world.send(BARS, 'a', 3);
    expect(bot.numbers('a')).toEqual(range(101, 303));
    expect(bot.messages.at(-1)?.snapshot).toBeUndefined();
    expect(bot.gaps).toEqual([]);
    expect(world.subscriber.status(BARS)).toMatchObject({ delivered: 403, gaps: 0 });
  });

  it('startListening() resolves after they have been delivered', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    const bot = new Bot(world.subscriber, BARS, ['a'], { last: 5 });
    await world.subscriber.startListening();
    expect(bot.numbers('a')).toEqual(range(6, 10));
  });

  it('gives what there is, at most as much as the channel keeps of a key', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 3);
    await world.send(BARS, 'b', 300);
    const bot = await world.bot(BARS, ['a', 'b', 'unknown'], { last: 1_000 / 2 });
    expect([bot.numbers('a'), bot.numbers('b')]).toEqual([range(1, 3), range(51, 300)]);
  });

  it('without keys, counts the messages of the channel', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    await world.send(BARS, 'b', 3);
    const bot = await world.bot(BARS, undefined, { last: 5 });
    expect([bot.numbers('a'), bot.numbers('b')]).toEqual([
      [9, 10],
      [1, 2, 3],
    ]);
  });

  it('on a channel without a history by key, finds the messages of each key in that of the channel', async () => {
    const world = new BarsWorld();
    await world.send(NOTES, 'a', 4);
    await world.send(NOTES, 'b', 10);
    await world.send(NOTES, 'c', 8);
    const received: string[] = [];
    world.subscriber.subscribe(NOTES, ({ data }) => received.push(`${data.name}${data.n}`), {
      keys: ['a', 'b'],
      from: { last: 3 },
    });
    await world.subscriber.startListening();
    expect(received).toEqual(['a3', 'a4', 'b8', 'b9', 'b10']);
  });

  it('does not disturb other subscriptions of the channel, nor taps', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    const tapped: unknown[] = [];
    world.subscriber.tap(BARS, ({ delivery, message }) => tapped.push([delivery, message.data.n]));
    const first = await world.bot(BARS, ['a']);
    await world.send(BARS, 'a', 2);
    const second = await world.bot(BARS, ['a'], { last: 5 });
    const third = await world.bot(BARS, undefined, { last: 2 });
    await world.send(BARS, 'a', 1);
    expect([first, second, third].map((bot) => bot.numbers('a'))).toEqual([
      range(11, 13),
      range(8, 13),
      range(11, 13),
    ]);
    expect(tapped).toEqual(range(11, 13).map((n) => ['live', n]));
  });

  it('applies the filters, and survives an invalid stored message', async () => {
    const world = new BarsWorld();
    await world.send(NOTES, 'a', 2);
    const other = defineChannel('NOTES', {
      kind: 'event',
      key: 'name',
      history: 20,
      messages: { bar: z.object({ name: z.string(), wrong: z.boolean() }) },
    });
    await world.publisher.publish(other, { name: 'a', wrong: true });
    await world.send(NOTES, 'a', 3);
    const received: number[] = [];
    world.subscriber.subscribe(NOTES, ({ data }) => received.push(data.n), {
      where: ({ data }) => data.n !== 4,
      from: { last: 10 },
    });
    await world.subscriber.startListening();
    expect(received).toEqual([1, 2, 3, 5]);
    expect(world.invalid).toHaveLength(1);
  });

  it('does not count against the limit of the queue, and reaches a slow handler in order', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 200);
    const seen: number[] = [];
    world.subscriber.subscribe(
      BARS,
      async ({ data }) => {
        await Promise.resolve();
        seen.push(data.n);
      },
      { keys: ['a'], from: { last: 150 }, queueLimit: 10 },
    );
    await world.subscriber.startListening();
    await world.send(BARS, 'a', 5);
    await world.subscriber.close();
    expect(seen).toEqual(range(51, 205));
    expect(world.gaps).toEqual([]);
  });

  it('works with a loop over messages()', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    const loop = world.subscriber.messages(BARS, { keys: ['a'], from: { last: 3 } });
    await world.subscriber.startListening();
    await world.send(BARS, 'a', 1);
    const seen: number[] = [];
    for await (const { data } of loop) if (seen.push(data.n) === 4) break;
    expect(seen).toEqual(range(8, 11));
  });

  it('ends with unsubscribe, also while the history is read', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    const bot = new Bot(world.subscriber, BARS, ['a'], { last: 3 });
    const kept = new Bot(world.subscriber, BARS, ['a'], { last: 3 });
    const starting = world.subscriber.startListening();
    bot.stop();
    await starting;
    await world.send(BARS, 'a', 1);
    expect([bot.numbers('a'), kept.numbers('a')]).toEqual([[], range(8, 11)]);
    const late = new Bot(world.subscriber, BARS, ['a'], { last: 3 });
    late.stop();
    await eventLoopTurns();
    expect(late.messages).toEqual([]);
  });

  it('is repeated after a link that was cut during the read', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 10);
    let cuts = 0;
    const read = world.link.readHistory.bind(world.link);
    world.link.readHistory = async (...call) => {
      if (++cuts === 2) {
        world.connection.subscribing.disconnect();
        await world.send(BARS, 'a', 2);
        world.connection.subscribing.reconnect();
        return Promise.reject(Object.assign(new Error('cut'), { code: 'TICKBUS_NOT_CONNECTED' }));
      }
      return read(...call);
    };
    const bot = new Bot(world.subscriber, BARS, ['a'], { last: 5 });
    const starting = world.subscriber.startListening();
    await eventLoopTurns(20);
    await world.clock.advance(1_000);
    await starting;
    await world.send(BARS, 'a', 1);
    const numbers = bot.numbers('a');
    expect(numbers).toEqual(range(numbers[0] ?? 0, 13));
    expect(numbers[0]).toBeLessThanOrEqual(8);
  });
});
