// Holes in a channel: what is repaired, what is told as lost, and how the loss of the last message is found.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { ALERTS, Bench, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../library.fixture.ts';
import { listening, lose, positionOf, tickOf } from './channel-reader.fixture.ts';

describe('a hole', () => {
  it('in a channel with history is repaired in order, and told as repaired', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2, 3);
    await bench.notes(FILLS, 1, 2, 3, 4, 5);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2', '3', '4', '5']);
    const epoch = bench.subscriber.status(FILLS)?.position?.epoch;
    expect(bench.gaps).toEqual([
      { type: 'gap', channel: 'FILLS', cause: 'loss', epoch, from: 2, to: 3, lost: 0, repaired: true },
    ]);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ gaps: 1, lost: 0, repaired: 2 });
  });

  it.each([ALERTS, COMMANDS])(
    'in %s, which keeps nothing, is a gap with its exact range',
    async (channel) => {
      const { bench, heard } = await listening(channel);
      lose(bench, 2, 3);
      await bench.notes(channel, 1, 2, 3, 4, 5);
      await eventLoopTurns();
      expect(heard).toEqual(['1', '4', '5']);
      const epoch = bench.subscriber.status(channel)?.position?.epoch;
      expect(bench.gaps).toEqual([
        {
          type: 'gap',
          channel: channel.name,
          cause: 'loss',
          epoch,
          from: 2,
          to: 3,
          lost: 2,
          repaired: false,
        },
      ]);
      expect(bench.subscriber.status(channel)).toMatchObject({ gaps: 1, lost: 2, repaired: 0 });
    },
  );

  it('longer than the history is a gap; what is left of it is marked and never told as whole', async () => {
    const { bench, heard } = await listening(FILLS);
    const all = Array.from({ length: 15 }, (_, n) => n + 1);
    lose(bench, ...all.slice(1, 14));
    await bench.notes(FILLS, ...all);
    await eventLoopTurns();
    // Ten are kept: 6 to 15. So 2 to 5 are lost.
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 5, lost: 4, repaired: false }]);
    expect(heard).toEqual(['1', ...all.slice(5, 14).map((n) => `${n} kept`), '15']);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ lost: 4, repaired: 0 });
  });

  it('in a state channel brings the last values again', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    await bench.subscriber.startListening();
    await eventLoopTurns();
    bench.link.loses = ({ data }) => data.price === 2 || data.price === 3;
    for (const [symbol, price] of [
      ['A', 1],
      ['B', 2],
      ['B', 3],
      ['A', 4],
    ] as const)
      await bench.price(symbol, price);
    await eventLoopTurns();
    expect(heard).toEqual(['A1', 'B3 kept', 'A4']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 1, repaired: false }]);
  });

  it('two holes are two gaps', async () => {
    const { bench, heard } = await listening(ALERTS);
    lose(bench, 2, 5);
    for (let n = 1; n <= 6; n++) {
      await bench.notes(ALERTS, n);
      await eventLoopTurns();
    }
    expect(heard).toEqual(['1', '3', '4', '6']);
    expect(bench.gaps.map(({ from, to, lost }) => [from, to, lost])).toEqual([
      [2, 2, 1],
      [5, 5, 1],
    ]);
  });

  it('a message that comes again, or late, is not delivered again', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2);
    const { epoch } = positionOf(bench);
    for (const seq of [1, 2]) bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq })));
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: epoch - 1, seq: 7 })));
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toEqual([]);
  });
});

describe('the last message', () => {
  it('when lost, is found by the look at the head within a second', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2);
    await bench.notes(FILLS, 1, 2);
    expect(heard).toEqual(['1']);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 0, repaired: true }]);
  });

  it('when it is the very first of the channel, too', async () => {
    const { bench, heard } = await listening(ALERTS);
    lose(bench, 1);
    await bench.notes(ALERTS, 1);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual([]);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 1, to: 1, lost: 1, repaired: false }]);
  });

  it('a look that finds nothing is repeated every second and tells nothing', async () => {
    const { bench } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { statuses, link } = bench;
    const told = statuses.length;
    const [reads, heads] = [link.reads.length, link.heads];
    await bench.clock.advance(5_000);
    expect(link.heads).toBe(heads + 5);
    expect(link.reads).toHaveLength(reads);
    expect(statuses).toHaveLength(told);
  });

  it('the look goes on when one fails', async () => {
    const { bench, heard } = await listening(FILLS);
    const head = bench.link.head;
    bench.link.head = () => Promise.reject({ code: 'TICKBUS_SERVER_ERROR' });
    await bench.clock.advance(1_000);
    bench.link.head = head;
    lose(bench, 1);
    await bench.notes(FILLS, 1);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual(['1']);
  });
});
