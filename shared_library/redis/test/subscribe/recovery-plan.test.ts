// planRecovery: gaps and messages that follow from the state of a channel.

import { describe, expect, it } from 'vitest';
import { Progress } from '../../subscribe/progress.ts';
import { planRecovery, type RecoveryInput } from '../../subscribe/recovery-plan.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import { FILLS, noteEnvelope } from '../channels.fixture.ts';

const at = (seq: number, epoch = 7) => noteEnvelope(seq, { epoch, seq });
const all = (...numbers: number[]) => numbers.map((seq) => at(seq));

/**
 * Runs planRecovery, by default for a reader at message 2 of epoch 7. The channel head is at message 5, and no message
 * is stored on the server or held back by the reader.
 */
function caughtUp(input: Partial<RecoveryInput> & { position?: Position | undefined }) {
  const progress = new Progress();
  const { position } = { position: { epoch: 7, seq: 2 }, ...input };
  if (position !== undefined) progress.moveTo(position);
  const defaults = {
    channel: FILLS,
    progress,
    isSameLink: true,
    hasDroppedRivals: false,
    highestSeqs: new Map(),
    isForgotten: false,
    head: { epoch: 7, seq: 5 },
    kept: [],
    held: [],
    heldFromEarlierLinks: 0,
  };
  const result = planRecovery({ ...defaults, heldBeforeRead: input.held?.length ?? 0, ...input });
  const short = ({ seq, epoch }: { seq?: number; epoch?: number }) => `${epoch}-${seq}`;
  return {
    gaps: result.gaps.map(({ cause, epoch, from, to, lost, repaired }) => ({
      cause,
      epoch,
      from,
      to,
      lost,
      repaired,
    })),
    repaired: result.repaired,
    messages: result.messages.map(
      ({ message, isNew, isLive }) => `${short(message)}${isNew ? ' new' : ''}${isLive ? ' heard' : ''}`,
    ),
    rest: result.rest.map(short),
    forged: result.forged.map(({ epoch, from }) => `${epoch}-${from}`),
  };
}

const nothing = { gaps: [], repaired: 0, messages: [], rest: [], forged: [] };

describe('within an epoch', () => {
  it('returns nothing if nothing was published', () => {
    expect(caughtUp({ head: { epoch: 7, seq: 2 } })).toEqual(nothing);
  });

  it('delivers the held messages', () => {
    expect(caughtUp({ held: all(3, 4, 5) })).toEqual({
      ...nothing,
      messages: ['7-3 new heard', '7-4 new heard', '7-5 new heard'],
    });
  });

  it('repairs a gap from the stored messages, each position once', () => {
    expect(caughtUp({ held: all(4, 5), kept: all(1, 2, 3, 4, 5) })).toEqual({
      ...nothing,
      gaps: [{ cause: 'loss', epoch: 7, from: 3, to: 3, lost: 0, repaired: true }],
      repaired: 1,
      messages: ['7-1', '7-2', '7-3 new', '7-4 new heard', '7-5 new heard'],
    });
  });

  it('reports a partial repair as a loss', () => {
    expect(caughtUp({ kept: all(5) })).toEqual({
      ...nothing,
      gaps: [{ cause: 'loss', epoch: 7, from: 3, to: 4, lost: 2, repaired: false }],
      messages: ['7-5 new'],
    });
  });

  it('keeps messages after the read, and those without a position, for later', () => {
    const held = [...all(3, 4, 5), noteEnvelope(0), at(6)];
    const { gaps, rest, forged } = caughtUp({ held, heldBeforeRead: 3 });
    expect({ gaps, rest, forged }).toEqual({ gaps: [], rest: ['undefined-undefined', '7-6'], forged: [] });
  });
});

describe('a reader without a position', () => {
  it('starts before the first held message', () => {
    expect(caughtUp({ position: undefined, held: all(4, 5) })).toMatchObject({
      gaps: [],
      messages: ['7-4 new heard', '7-5 new heard'],
    });
    expect(caughtUp({ position: undefined, held: all(3, 5) }).gaps).toMatchObject([
      { from: 4, to: 4, lost: 1 },
    ]);
  });

  it('starts at the head if no message is held', () => {
    expect(caughtUp({ position: undefined, kept: all(4, 5) })).toEqual({
      ...nothing,
      messages: ['7-4', '7-5'],
    });
  });

  it('at ORIGIN reports the missing start of the first epoch', () => {
    expect(caughtUp({ position: ORIGIN }).gaps).toMatchObject([
      { cause: 'loss', epoch: 7, from: 1, to: 5, lost: 5 },
    ]);
  });
});

describe('a new epoch', () => {
  it('reports the unknown end of the old epoch', () => {
    expect(caughtUp({ head: { epoch: 8, seq: 1 }, kept: [at(1, 8)] })).toEqual({
      ...nothing,
      gaps: [
        { cause: 'epoch', epoch: 7, from: 3, to: undefined, lost: undefined, repaired: false },
        { cause: 'loss', epoch: 8, from: 1, to: 1, lost: 0, repaired: true },
      ],
      repaired: 1,
      messages: ['8-1 new'],
    });
  });

  it('delivers held messages of the old epoch and reports its gaps', () => {
    expect(caughtUp({ head: { epoch: 8, seq: 1 }, held: [...all(3, 5), at(1, 8)] })).toEqual({
      ...nothing,
      gaps: [
        { cause: 'loss', epoch: 7, from: 4, to: 4, lost: 1, repaired: false },
        { cause: 'epoch', epoch: 7, from: 6, to: undefined, lost: undefined, repaired: false },
      ],
      messages: ['7-3 new heard', '7-5 new heard', '8-1 new heard'],
    });
  });
});

describe('a forged position', () => {
  it('is one that arrived before the read and lies beyond the head', () => {
    expect(caughtUp({ held: [...all(3, 4, 5), at(9), at(1, 8)] })).toMatchObject({
      forged: ['7-9', '8-1'],
      rest: [],
    });
  });

  it('is not one that arrived after the read was sent', () => {
    expect(caughtUp({ held: [...all(3, 4, 5), at(6)], heldBeforeRead: 3 })).toMatchObject({
      forged: [],
      rest: ['7-6'],
    });
  });
});

describe('epochs that began and ended since the last read', () => {
  it('are reported separately as far as stored messages show them', () => {
    const kept = [at(3, 7), at(2, 8), at(4, 8), at(1, 9), at(1, 11)];
    const { gaps, messages } = caughtUp({ head: { epoch: 11, seq: 2 }, kept, held: [at(2, 11)] });
    const unknown = { to: undefined, lost: undefined, repaired: false };
    expect(gaps).toEqual([
      { cause: 'loss', epoch: 7, from: 3, to: 3, lost: 0, repaired: true },
      { cause: 'epoch', epoch: 7, from: 4, ...unknown },
      { cause: 'loss', epoch: 8, from: 1, to: 3, lost: 2, repaired: false },
      { cause: 'epoch', epoch: 8, from: 5, ...unknown },
      { cause: 'loss', epoch: 9, from: 1, to: 1, lost: 0, repaired: true },
      { cause: 'epoch', epoch: 9, from: 2, ...unknown },
      { cause: 'loss', epoch: 11, from: 1, to: 1, lost: 0, repaired: true },
    ]);
    expect(messages).toEqual(['7-3 new', '8-2 new', '8-4 new', '9-1 new', '11-1 new', '11-2 new heard']);
  });

  it('are not reported to a reader without a position', () => {
    const { gaps } = caughtUp({
      position: undefined,
      head: { epoch: 9, seq: 1 },
      kept: [at(4, 8), at(1, 9)],
    });
    expect(gaps).toEqual([]);
  });
});

describe('a server that lost memory', () => {
  const forgot = { isForgotten: true, position: { epoch: 7, seq: 9 }, head: { epoch: 7, seq: 5 } };
  const unknownFrom = (from: number, epoch = 7) => ({
    cause: 'epoch',
    epoch,
    from,
    to: undefined,
    lost: undefined,
    repaired: false,
  });

  it('makes the rest of the epoch unknown, after the delivered messages', () => {
    expect(caughtUp(forgot)).toEqual({ ...nothing, gaps: [unknownFrom(10)] });
  });

  it('makes the rest of the epoch unknown, after the stored messages if they reach further', () => {
    const { gaps } = caughtUp({ ...forgot, position: { epoch: 7, seq: 3 }, kept: all(4, 5) });
    expect(gaps).toEqual([
      { cause: 'loss', epoch: 7, from: 4, to: 5, lost: 0, repaired: true },
      unknownFrom(6),
    ]);
  });

  it('redelivers no message of its older memory', () => {
    const highestSeqs = new Map([
      [6, 3],
      [7, 9],
    ]);
    const kept = [at(2, 6), at(3, 6), at(4, 7), at(1, 8)];
    const { messages } = caughtUp({
      position: { epoch: 6, seq: 1 },
      highestSeqs,
      head: { epoch: 8, seq: 1 },
      kept,
    });
    expect(messages).toEqual(['6-2', '6-3', '7-4', '8-1 new']);
  });

  it('reports no gap again for an epoch that was delivered before', () => {
    const highestSeqs = new Map([
      [6, 5],
      [7, 9],
    ]);
    const back = {
      position: { epoch: 7, seq: 9 },
      highestSeqs,
      head: { epoch: 6, seq: 5 },
      kept: [1, 2, 3, 4, 5].map((seq) => at(seq, 6)),
    };
    expect(caughtUp(back)).toMatchObject({
      gaps: [unknownFrom(10)],
      messages: ['6-1', '6-2', '6-3', '6-4', '6-5'],
    });
    const further = { ...back, head: { epoch: 6, seq: 6 }, kept: [...back.kept, at(6, 6)] };
    expect(caughtUp(further).gaps).toEqual([
      unknownFrom(10),
      { cause: 'loss', epoch: 6, from: 6, to: 6, lost: 1, repaired: false },
    ]);
  });

  it('reports no gap to a reader without a position', () => {
    expect(caughtUp({ ...forgot, position: undefined }).gaps).toEqual([]);
  });
});
