// New epochs of a channel: of a server that forgot everything, and of a lease, which forgets nothing.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { ALERTS, FILLS } from '../library.fixture.ts';
import { listening, lose, positionOf } from './channel-reader.fixture.ts';

describe('a new epoch', () => {
  it('is told as a gap without an end, and what is there of it is delivered', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2);
    const before = positionOf(bench);
    bench.server.flush();
    await bench.notes(FILLS, 3, 4);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toEqual([
      {
        type: 'gap',
        channel: 'FILLS',
        cause: 'epoch',
        epoch: before.epoch,
        from: 3,
        to: undefined,
        lost: undefined,
        repaired: false,
      },
    ]);
    const after = bench.subscriber.status(FILLS)?.position;
    expect(after?.epoch).toBeGreaterThan(before.epoch);
    expect(after?.seq).toBe(2);
  });

  it('of which the beginning was missed tells that part exactly', async () => {
    const { bench, heard } = await listening(ALERTS);
    await bench.notes(ALERTS, 1);
    bench.server.flush();
    lose(bench, 2, 3);
    await bench.notes(ALERTS, 2, 3, 4);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '4']);
    expect(bench.gaps).toMatchObject([
      { cause: 'epoch', from: 2, to: undefined },
      { cause: 'loss', from: 1, to: 2, lost: 2 },
    ]);
  });

  it('is noticed by the head, also when the server forgot everything', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.server.flush();
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(bench.gaps).toMatchObject([{ cause: 'epoch', from: 2 }]);
    await bench.notes(FILLS, 2);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2']);
    await bench.clock.advance(5_000);
    expect(bench.gaps).toHaveLength(1);
  });
});

describe('a lease, which begins a new epoch and forgets nothing', () => {
  it('delivers nothing of the history twice', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1, 2, 3);
    await bench.passLease(FILLS);
    await bench.notes(FILLS, 4);
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    expect(heard).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toMatchObject([{ cause: 'epoch', from: 4, to: undefined }]);
  });

  it('brings what was lost of the old epoch, as far as it is kept', async () => {
    const { bench, heard } = await listening(FILLS);
    lose(bench, 2, 3);
    await bench.notes(FILLS, 1, 2, 3);
    await bench.passLease(FILLS);
    await bench.notes(FILLS, 4);
    await eventLoopTurns();
    expect(heard.map((one) => one.replace(' kept', ''))).toEqual(['1', '2', '3', '4']);
    expect(bench.gaps).toMatchObject([
      { cause: 'loss', from: 2, to: 3, repaired: true },
      { cause: 'epoch', from: 4, to: undefined },
    ]);
  });
});
