// Gaps in a channel: repair from history, reported losses, and detection of a lost last message.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { ALERTS, Bench, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../library.fixture.ts';
import { listening, lose, positionOf, tickOf } from './channel-reader.fixture.ts';

describe('a gap', () => {
  it('in a channel with history is repaired in order and reported as repaired', async () => {
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
    'in %s, which has no history, is reported with its exact range',
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

  it('longer than the history is reported as lost; the rest is delivered and not counted as repaired', async () => {
    const { bench, heard } = await listening(FILLS);
    const all = Array.from({ length: 15 }, (_, n) => n + 1);
    lose(bench, ...all.slice(1, 14));
    await bench.notes(FILLS, ...all);
    await eventLoopTurns();
    // History has ten messages, 6 to 15, so 2 to 5 are lost.
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 5, lost: 4, repaired: false }]);
    expect(heard).toEqual(['1', ...all.slice(5, 14).map((n) => `${n} kept`), '15']);
    expect(bench.subscriber.status(FILLS)).toMatchObject({ lost: 4, repaired: 0 });
  });

  it('in a state channel redelivers the last values', async () => {
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

  it('is reported separately for each missing range', async () => {
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

  it('is not caused by a repeated or late message, which is not delivered again', async () => {
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

describe('a lost last message', () => {
  it('is found by the head check within a second', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2);
    await bench.notes(FILLS, 1, 2);
    expect(heard).toEqual(['1']);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2']);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 2, lost: 0, repaired: true }]);
  });

  it('is found by the head check if it is the first of the channel', async () => {
    const { bench, heard } = await listening(ALERTS);
    lose(bench, 1);
    await bench.notes(ALERTS, 1);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual([]);
    expect(bench.gaps).toMatchObject([{ cause: 'loss', from: 1, to: 1, lost: 1, repaired: false }]);
  });

  it('is checked for every second with a head read and no status event', async () => {
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

  it('is found after a failed head check', async () => {
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
