// The checker finds each kind of damage in an otherwise good history.

import type { Gap } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { checkHistory } from '../check-history.ts';
import type { HandledRecord, HandlerHistory, SentRecord } from '../records.ts';

const EPOCH = 7;
const at = (seq: number, epoch = EPOCH) => ({ epoch, seq });

/** Messages 1 to `count`, accepted at positions with the same numbers. */
function accepted(
  count: number,
  channel = 'FILLS',
  keyOf: (n: number) => string | undefined = () => undefined,
): SentRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const n = index + 1;
    return { n, channel, key: keyOf(n), outcome: 'accepted', position: at(n) };
  });
}

function seen(n: number, more: Partial<HandledRecord> = {}): HandledRecord {
  return { n, position: at(n), key: undefined, conflated: 0, snapshot: false, ...more };
}

function handler(
  numbers: readonly (number | HandledRecord)[],
  more: Partial<HandlerHistory> = {},
): HandlerHistory {
  return {
    name: 'bot',
    channel: 'FILLS',
    kind: 'event',
    keys: undefined,
    mayOverflow: true,
    from: 0,
    until: undefined,
    seen: numbers.map((one) => (typeof one === 'number' ? seen(one) : one)),
    gaps: [],
    expired: [],
    ...more,
  };
}

function gap(from: number, to: number | undefined, more: Partial<Gap> = {}): Gap {
  const lost = to === undefined ? undefined : to - from + 1;
  return {
    type: 'gap',
    channel: 'FILLS',
    cause: 'loss',
    epoch: EPOCH,
    from,
    to,
    lost,
    repaired: false,
    ...more,
  };
}

const GOOD = { silent_lost: 0, duplicates: 0, out_of_order: 0, made_up: 0, inexact: 0 };

describe('a good history', () => {
  it('is counted and has no problems', () => {
    const { figures, problems } = checkHistory(accepted(3), [handler([1, 2, 3]), handler([1, 2, 3])]);
    expect(figures).toMatchObject({ ...GOOD, published: 3, delivered: 6, reported_lost: 0 });
    expect(problems).toEqual([]);
  });

  it('may have reported losses', () => {
    const { figures } = checkHistory(accepted(5), [handler([1, 5], { gaps: [gap(2, 4)] })]);
    expect(figures).toMatchObject({ ...GOOD, reported_lost: 3 });
  });

  it('may have an epoch gap, which reports the rest of the epoch and unseen epochs', () => {
    const sent = accepted(3);
    sent.push({ n: 4, channel: 'FILLS', key: undefined, outcome: 'accepted', position: at(1, 8) });
    sent.push({ n: 5, channel: 'FILLS', key: undefined, outcome: 'accepted', position: at(1, 9) });
    const history = handler([1, seen(5, { position: at(1, 9) })], {
      gaps: [gap(2, undefined, { cause: 'epoch' })],
    });
    expect(checkHistory(sent, [history]).figures).toMatchObject({ ...GOOD, reported_lost: 3 });
  });

  it('may conflate messages of a key, with their count', () => {
    const sent = accepted(6, 'PRICES', (n) => (n % 2 ? 'A' : 'B'));
    const prices = handler([seen(5, { key: 'A', conflated: 2 }), seen(6, { key: 'B', conflated: 2 })], {
      channel: 'PRICES',
      kind: 'state',
    });
    expect(checkHistory(sent, [prices]).figures).toMatchObject({ ...GOOD, delivered: 2, conflated: 4 });
  });

  it('expects no message before a handler subscribed, of other keys, or after it unsubscribed', () => {
    const late = handler([3], { from: 2 });
    const left = handler([1], { until: at(1) });
    const none = handler([], { from: undefined });
    expect(checkHistory(accepted(3), [late, left, none]).figures).toMatchObject(GOOD);
    const some = handler([seen(1, { key: 'A' })], { keys: ['A'] });
    expect(
      checkHistory(
        accepted(2, 'FILLS', (n) => (n === 1 ? 'A' : 'B')),
        [some],
      ).figures,
    ).toMatchObject(GOOD);
  });

  it('may report a command as expired', () => {
    const history = handler([1], { kind: 'command', expired: [seen(2)] });
    expect(checkHistory(accepted(2), [history]).figures).toMatchObject({ ...GOOD, expired: 1 });
  });
});

describe('the checker finds', () => {
  it('a silent loss in the middle, at the end, and of every message', () => {
    const { figures, problems } = checkHistory(accepted(3), [handler([1, 3]), handler([1, 2]), handler([])]);
    expect(figures.silent_lost).toBe(5);
    expect(problems[0]).toBe('bot on FILLS did not receive message 2 (7-2), and no gap reports it');
  });

  it('a loss outside the reported gap, and a loss in a gap reported as repaired', () => {
    expect(checkHistory(accepted(5), [handler([1, 5], { gaps: [gap(2, 3)] })]).figures.silent_lost).toBe(1);
    const repaired = gap(2, 3, { lost: 0, repaired: true });
    expect(checkHistory(accepted(3), [handler([1], { gaps: [repaired] })]).figures.silent_lost).toBe(2);
  });

  it('a loss in the newest epoch, despite a gap at the end of the previous one', () => {
    const sent = [...accepted(1), { ...(accepted(2)[1] as SentRecord), position: at(1, 8) }];
    const history = handler([1], { gaps: [gap(2, undefined, { cause: 'epoch' })] });
    expect(checkHistory(sent, [history]).figures.silent_lost).toBe(1);
  });

  it('a duplicate, by number or by position', () => {
    expect(checkHistory(accepted(2), [handler([1, 2, 2])]).figures.duplicates).toBe(1);
    const twin = seen(2, { position: at(1) });
    expect(checkHistory(accepted(2), [handler([1, twin])]).figures).toMatchObject({
      duplicates: 1,
      made_up: 1,
    });
  });

  it('a wrong order', () => {
    expect(checkHistory(accepted(3), [handler([1, 3, 2])]).figures).toMatchObject({
      out_of_order: 1,
      silent_lost: 0,
    });
  });

  it('a message that was refused, never sent, or sent on another channel', () => {
    const sent = accepted(1);
    sent.push({ n: 2, channel: 'FILLS', key: undefined, outcome: 'refused', position: undefined });
    sent.push({ n: 3, channel: 'ALERTS', key: undefined, outcome: 'accepted', position: at(3) });
    expect(checkHistory(sent, [handler([1, 2, 3, 4])]).figures.made_up).toBe(3);
  });

  it('a conflated count that is too low or too high', () => {
    const sent = accepted(4, 'PRICES', () => 'A');
    const prices = (conflated: number) =>
      handler([seen(4, { key: 'A', conflated })], { channel: 'PRICES', kind: 'state' });
    expect(checkHistory(sent, [prices(2)]).figures.silent_lost).toBe(1);
    expect(checkHistory(sent, [prices(3)]).figures).toMatchObject(GOOD);
    expect(checkHistory(sent, [prices(4)]).figures.inexact).toBe(1);
  });

  it('a gap with a wrong count', () => {
    const history = handler([1, 3, 5], { gaps: [gap(2, 4, { lost: 3 })] });
    expect(checkHistory(accepted(5), [history]).figures).toMatchObject({ inexact: 1, silent_lost: 0 });
  });

  it('the loss of a message of unknown outcome that another handler received', () => {
    const sent = accepted(1);
    sent.push({ n: 2, channel: 'FILLS', key: undefined, outcome: 'unknown', position: undefined });
    expect(checkHistory(sent, [handler([1])]).figures).toMatchObject({ ...GOOD, published: 1, unknown: 1 });
    expect(checkHistory(sent, [handler([1]), handler([1, 2])]).figures).toMatchObject({
      published: 2,
      unknown: 0,
      silent_lost: 1,
    });
  });
});
