// DeliveryQueue: order, conflation and overflow.

import { describe, expect, it } from 'vitest';
import { DeliveryQueue } from '../../subscribe/delivery-queue.ts';

function queueOf(limit = Number.POSITIVE_INFINITY) {
  const dropped: string[] = [];
  const queue = new DeliveryQueue<string>({
    limit,
    maxBytes: Number.POSITIVE_INFINITY,
    sizeOf: () => 0,
    onDrop: ({ value }) => dropped.push(value),
  });
  return { queue, dropped };
}

/** Takes every message, as `value` or `value+conflated`. */
function drain(queue: DeliveryQueue<string>, turn: number): string[] {
  const taken: string[] = [];
  for (let next = queue.take(turn); next !== undefined; next = queue.take(turn)) {
    taken.push(next.conflated === 0 ? next.value : `${next.value}+${next.conflated}`);
  }
  return taken;
}

describe('order and conflation', () => {
  it('is first in, first out', () => {
    const { queue } = queueOf();
    for (const value of ['a', 'b', 'c']) queue.push(value, undefined, 1);
    expect(queue.depth).toBe(3);
    expect(drain(queue, 2)).toEqual(['a', 'b', 'c']);
    expect(queue.depth).toBe(0);
    expect(queue.take(2)).toBeUndefined();
  });

  it('never conflates messages without a key', () => {
    const { queue } = queueOf();
    for (let n = 0; n < 3; n++) queue.push(`a${n}`, undefined, n);
    expect(drain(queue, 9)).toEqual(['a0', 'a1', 'a2']);
  });

  it('conflates nothing within the turn of a burst', () => {
    const { queue } = queueOf();
    for (let n = 0; n < 3; n++) queue.push(`a${n}`, 'a', 1);
    expect(drain(queue, 1)).toEqual(['a0', 'a1', 'a2']);
  });

  it('conflates older messages of an earlier turn into the newest of the key, and counts them', () => {
    const { queue } = queueOf();
    for (const value of ['a0', 'b0', 'a1', 'a2', 'b1']) queue.push(value, value[0], 1);
    queue.push('c0', 'c', 1);
    expect(drain(queue, 2)).toEqual(['a2+2', 'b1+1', 'c0']);
  });

  it('keeps messages of this turn apart from earlier ones', () => {
    const { queue } = queueOf();
    queue.push('a0', 'a', 1);
    queue.push('a1', 'a', 2);
    queue.push('a2', 'a', 2);
    expect(drain(queue, 2)).toEqual(['a1', 'a2+1']);
  });

  it('counts from zero after the newest message was taken', () => {
    const { queue } = queueOf();
    queue.push('a0', 'a', 1);
    queue.push('a1', 'a', 1);
    expect(drain(queue, 2)).toEqual(['a1+1']);
    queue.push('a2', 'a', 2);
    expect(drain(queue, 3)).toEqual(['a2']);
  });

  it('is empty after clear', () => {
    const { queue, dropped } = queueOf();
    queue.push('a0', 'a', 1);
    queue.clear();
    expect(queue.depth).toBe(0);
    queue.push('a1', 'a', 2);
    expect(drain(queue, 3)).toEqual(['a1']);
    expect(dropped).toEqual([]);
  });
});

describe('overflow', () => {
  it('drops the oldest message and reports it', () => {
    const { queue, dropped } = queueOf(2);
    for (const value of ['a', 'b', 'c', 'd']) queue.push(value, undefined, 1);
    expect(dropped).toEqual(['a', 'b']);
    expect(drain(queue, 1)).toEqual(['c', 'd']);
  });

  it('conflates before it drops', () => {
    const { queue, dropped } = queueOf(2);
    queue.push('a0', 'a', 1);
    queue.push('b0', 'b', 1);
    queue.push('a1', 'a', 2);
    expect(dropped).toEqual([]);
    expect(drain(queue, 3)).toEqual(['b0', 'a1+1']);
  });
});

describe('behind a blocked handler', () => {
  it('holds one message per key and counts every conflated one', () => {
    const { queue } = queueOf();
    const [keys, turns] = [10, 20_000];
    for (let turn = 1; turn <= turns; turn++) {
      queue.push(`value ${turn}`, `key ${turn % keys}`, turn);
      expect(queue.depth).toBe(Math.min(turn, keys));
    }
    const taken = Array.from({ length: keys }, () => queue.take(turns + 1));
    expect(queue.take(turns + 1)).toBeUndefined();
    expect(taken.map((one) => one?.value)).toEqual(
      Array.from({ length: keys }, (_, index) => `value ${turns - keys + 1 + index}`),
    );
    expect(taken.map((one) => one?.conflated)).toEqual(Array.from({ length: keys }, () => turns / keys - 1));
    expect(taken.map((one) => one?.first).sort()).toEqual(
      Array.from({ length: keys }, (_, index) => `value ${index + 1}`).sort(),
    );
  });

  it('conflates the burst of a key with the next message of a later turn, of any key', () => {
    const { queue } = queueOf();
    for (let n = 0; n < 5; n++) queue.push(`a${n}`, 'a', 1);
    expect(queue.depth).toBe(5);
    queue.push('b0', 'b', 2);
    expect(queue.depth).toBe(2);
    expect(drain(queue, 2)).toEqual(['a4+4', 'b0']);
  });

  it('oldestSince is the time of the oldest message not yet handled, conflated or not', () => {
    const { queue } = queueOf();
    for (const [index, key] of ['a', 'b', 'a', 'b', 'b'].entries())
      queue.push(`${key}${index}`, key, index, index * 10);
    expect(queue.oldestSince).toBe(0);
    expect(queue.take(9)?.value).toBe('a2');
    expect(queue.oldestSince).toBe(30);
    expect(queue.take(9)?.value).toBe('b4');
    expect(queue.oldestSince).toBeUndefined();
  });

  it('oldestSince is the time of the oldest waiting message after more than a thousand conflated ones', () => {
    const { queue } = queueOf();
    for (let turn = 0; turn <= 1_001; turn++) queue.push(`a${turn}`, 'a', turn, turn * 10);
    expect(queue.oldestSince).toBe(10_010);
    queue.push('a1002', 'a', 1_002, 10_020);
    expect(queue.oldestSince).toBe(10_010);
  });

  it('oldestSince restarts once the queue was empty', () => {
    const { queue } = queueOf();
    for (let turn = 0; turn <= 1_000; turn++) queue.push(`a${turn}`, 'a', turn, turn * 10);
    expect(queue.oldestSince).toBe(0);
    expect(drain(queue, 1_001)).toEqual(['a1000+1000']);
    for (const turn of [2_001, 2_002]) queue.push(`a${turn}`, 'a', turn, turn * 10);
    expect(queue.oldestSince).toBe(20_010);
  });
});
