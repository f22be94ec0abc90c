// Subscriptions that resume after a position, or begin at a time.

import { describe, expect, it } from 'vitest';
import { type Position, positionOf } from '../../wire/position.ts';
import { type BarsChannel, Bot, range } from './bars.fixture.ts';
import { BARS, BarsWorld, NOTES, SHORT } from './bars-world.fixture.ts';

describe('from: position', () => {
  const positionAt = (world: BarsWorld, channel: BarsChannel, seq: number) => ({
    epoch: world.head(channel).epoch,
    seq,
  });

  it('resumes after the last handled message, in a new subscriber', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 5);
    const first = await world.bot(BARS, undefined, { last: 2 });
    const position = positionOf(first.messages.at(-1) ?? {}) as Position;
    await world.subscriber.close();
    await world.send(BARS, 'a', 4);
    const restarted = world.newSubscriber();
    const bot = new Bot(restarted, BARS, undefined, { position });
    await restarted.startListening();
    await world.send(BARS, 'a', 1);
    expect([first.numbers('a'), bot.numbers('a'), bot.gaps]).toEqual([[4, 5], range(6, 10), []]);
  });

  it('with keys, resumes beyond the history of the channel', async () => {
    const world = new BarsWorld();
    await world.send(SHORT, 'a', 20);
    await world.send(SHORT, 'b', 50);
    const bot = await world.bot(SHORT, ['a', 'b'], { position: positionAt(world, SHORT, 20) });
    expect([bot.numbers('a'), bot.numbers('b')]).toEqual([[], range(1, 50)]);
    expect(bot.stored).toBe(50);
  });

  it('reports what is no longer stored as a gap with its range', async () => {
    const world = new BarsWorld();
    await world.send(SHORT, 'a', 300);
    for (const [keys, from] of [
      [undefined, 296],
      [['a'], 296],
    ] as const) {
      const position = positionAt(world, SHORT, 10);
      const bot = await world.bot(SHORT, keys, { position });
      const first = keys === undefined ? from : 50;
      expect(bot.numbers('a')).toEqual(range(first, 300));
      expect(bot.gaps.map(({ type, channel, ...gap }) => gap)).toEqual([
        { cause: 'loss', epoch: position.epoch, from: 11, to: first - 1, lost: first - 11, repaired: false },
      ]);
      bot.stop();
    }
    expect(world.subscriber.status(SHORT)).toBeUndefined();
  });

  it('names its subscription in the gap, and other subscriptions are not affected', async () => {
    const world = new BarsWorld();
    await world.send(SHORT, 'a', 30);
    const other = new Bot(world.subscriber, SHORT, undefined);
    world.subscriber.subscribe(SHORT, () => {}, {
      name: 'late',
      from: { position: positionAt(world, SHORT, 3) },
    });
    await world.subscriber.startListening();
    expect(world.gaps).toMatchObject([{ subscription: 'late', from: 4, to: 25, lost: 22 }]);
    expect(world.subscriber.status(SHORT)).toMatchObject({ gaps: 1, lost: 22 });
    expect(other.messages).toEqual([]);
  });

  it('of another epoch is a gap with cause epoch, and what is stored after it follows', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 5);
    const position = positionAt(world, BARS, 3);
    await world.acquireAndReleaseLease(BARS);
    await world.send(BARS, 'a', 2);
    for (const keys of [undefined, ['a']]) {
      const bot = await world.bot(BARS, keys, { position });
      expect(bot.numbers('a')).toEqual(range(4, 7));
      expect(bot.gaps).toMatchObject([{ cause: 'epoch', epoch: position.epoch, from: 6, to: undefined }]);
      bot.stop();
    }
  });

  it('of a server that lost its memory is a gap with cause epoch', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 5);
    const position = positionAt(world, BARS, 3);
    world.server.flush();
    const unused = await world.bot(BARS, ['a'], { position });
    expect(unused.gaps).toMatchObject([{ cause: 'epoch', epoch: position.epoch, from: 4, to: undefined }]);
    unused.stop();
    await world.send(BARS, 'a', 5);
    const bot = await world.bot(BARS, undefined, { position });
    expect(bot.numbers('a')).toEqual(range(6, 10));
    expect(bot.gaps).toMatchObject([{ cause: 'epoch', epoch: position.epoch, from: 4, to: undefined }]);
  });

  it('above the head is a gap: the server has lost messages', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 5);
    const bot = await world.bot(BARS, ['a'], { position: positionAt(world, BARS, 9) });
    expect(bot.messages).toEqual([]);
    expect(bot.gaps).toMatchObject([{ cause: 'epoch', from: 6 }]);
  });

  it('at the head, or with nothing missing, is no gap', async () => {
    const world = new BarsWorld();
    await world.send(SHORT, 'a', 30);
    for (const seq of [30, 26, 25])
      for (const keys of [undefined, ['a']]) {
        const bot = await world.bot(SHORT, keys, { position: positionAt(world, SHORT, seq) });
        expect([bot.numbers('a'), bot.gaps]).toEqual([range(seq + 1, 30), []]);
        bot.stop();
      }
  });
});

describe('from: positions', () => {
  it('resumes each key after its own message', async () => {
    const world = new BarsWorld();
    for (let round = 0; round < 20; round++)
      for (const key of ['a', 'b', 'c']) await world.send(SHORT, key, 1);
    const { epoch } = world.head(SHORT);
    const positions = { a: { epoch, seq: 28 }, b: { epoch, seq: 59 } };
    const bot = await world.bot(SHORT, ['a', 'b', 'c'], { positions });
    expect([bot.numbers('a'), bot.numbers('b'), bot.numbers('c')]).toEqual([range(11, 20), [], range(1, 20)]);
    expect(bot.gaps).toEqual([]);
  });

  it('refuses the position of a key that the subscription does not receive', () => {
    const world = new BarsWorld();
    const positions = { a: { epoch: 1, seq: 1 }, 'd\n': { epoch: 1, seq: 2 } };
    const subscribe = () =>
      world.subscriber.subscribe(SHORT, () => {}, { keys: ['a', 'b'], from: { positions } });
    expect(subscribe).toThrow(
      expect.objectContaining({
        code: 'TICKBUS_INVALID_OPTION',
        field: 'from',
        message: expect.stringMatching(
          /from\.positions has "d\\u000a", which is not among `keys`.* Add it to `keys`/,
        ),
      }),
    );
  });

  it('reports a gap if the history of a key does not reach back', async () => {
    const world = new BarsWorld();
    await world.send(SHORT, 'a', 400);
    await world.send(SHORT, 'b', 1);
    const { epoch } = world.head(SHORT);
    const positions = { a: { epoch, seq: 100 }, b: { epoch, seq: 401 } };
    const bot = await world.bot(SHORT, ['a', 'b'], { positions });
    expect(bot.numbers('a')).toEqual(range(150, 400));
    expect(bot.gaps).toMatchObject([{ cause: 'loss', from: 101, to: 149, lost: 49 }]);
  });

  it('works on a channel without a history by key', async () => {
    const world = new BarsWorld();
    await world.send(NOTES, 'a', 5);
    await world.send(NOTES, 'b', 5);
    const { epoch } = world.head(NOTES);
    const received: string[] = [];
    world.subscriber.subscribe(NOTES, ({ data }) => received.push(`${data.name}${data.n}`), {
      keys: ['a', 'b'],
      from: { positions: { a: { epoch, seq: 4 }, b: { epoch, seq: 8 } } },
    });
    await world.subscriber.startListening();
    expect([received, world.gaps]).toEqual([['a5', 'b4', 'b5'], []]);
  });
});

describe('from: time', () => {
  it('delivers what was published at that time or later', async () => {
    const world = new BarsWorld();
    await world.send(BARS, 'a', 3);
    await world.clock.advance(1_000);
    const time = world.clock.now();
    await world.send(BARS, 'a', 2);
    await world.clock.advance(1_000);
    await world.send(BARS, 'b', 2);
    for (const keys of [undefined, ['a', 'b']])
      for (const given of [time, new Date(time)]) {
        const bot = await world.bot(BARS, keys, { time: given });
        expect([bot.numbers('a'), bot.numbers('b'), bot.gaps]).toEqual([[4, 5], [1, 2], []]);
        bot.stop();
      }
    const bot = await world.bot(BARS, undefined, { time: 0 });
    expect([bot.numbers('a'), bot.gaps]).toEqual([range(1, 5), []]);
  });

  it('reports a gap if messages of that time may have been dropped', async () => {
    const world = new BarsWorld();
    const time = world.clock.now();
    await world.send(SHORT, 'a', 300);
    const whole = await world.bot(SHORT, undefined, { time });
    expect(whole.numbers('a')).toEqual(range(296, 300));
    expect(whole.gaps).toMatchObject([{ cause: 'loss', from: undefined, to: 295, lost: undefined }]);
    const keyed = await world.bot(SHORT, ['a'], { time });
    expect(keyed.numbers('a')).toEqual(range(50, 300));
    expect(keyed.gaps).toMatchObject([{ cause: 'loss', from: undefined, to: 49, lost: undefined }]);
  });
});
