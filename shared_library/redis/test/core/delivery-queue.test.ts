// The queue before a handler: order, what is merged and when, what is dropped.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeliveryQueue } from '../../core/delivery-queue.ts';

function queueOf(limit = Number.POSITIVE_INFINITY) {
  const dropped: string[] = [];
  return { queue: new DeliveryQueue<string>({ limit, onDrop: ({ value }) => dropped.push(value) }), dropped };
}

/** Takes all there is, as `value` or `value+merged`. */
function drain(queue: DeliveryQueue<string>, turn: number): string[] {
  const taken: string[] = [];
  for (let next = queue.take(turn); next !== undefined; next = queue.take(turn)) {
    taken.push(next.conflated === 0 ? next.value : `${next.value}+${next.conflated}`);
  }
  return taken;
}

describe('order and merging', () => {
  it('is first in, first out', () => {
    const { queue } = queueOf();
    for (const value of ['a', 'b', 'c']) queue.push(value, undefined, 1);
    expect(queue.depth).toBe(3);
    expect(drain(queue, 2)).toEqual(['a', 'b', 'c']);
    expect(queue.depth).toBe(0);
    expect(queue.take(2)).toBeUndefined();
  });

  it('never merges what has no key', () => {
    const { queue } = queueOf();
    for (let n = 0; n < 3; n++) queue.push(`a${n}`, undefined, n);
    expect(drain(queue, 9)).toEqual(['a0', 'a1', 'a2']);
  });

  it('merges nothing within the turn of the burst', () => {
    const { queue } = queueOf();
    for (let n = 0; n < 3; n++) queue.push(`a${n}`, 'a', 1);
    expect(drain(queue, 1)).toEqual(['a0', 'a1', 'a2']);
  });

  it('merges into the newest of the key what has waited since an earlier turn, and counts it', () => {
    const { queue } = queueOf();
    for (const value of ['a0', 'b0', 'a1', 'a2', 'b1']) queue.push(value, value[0], 1);
    queue.push('c0', 'c', 1);
    expect(drain(queue, 2)).toEqual(['a2+2', 'b1+1', 'c0']);
  });

  it('keeps what came in this turn apart from what came before', () => {
    const { queue } = queueOf();
    queue.push('a0', 'a', 1);
    queue.push('a1', 'a', 2);
    queue.push('a2', 'a', 2);
    expect(drain(queue, 2)).toEqual(['a1', 'a2+1']);
  });

  it('starts counting anew once the newest was taken', () => {
    const { queue } = queueOf();
    queue.push('a0', 'a', 1);
    queue.push('a1', 'a', 1);
    expect(drain(queue, 2)).toEqual(['a1+1']);
    queue.push('a2', 'a', 2);
    expect(drain(queue, 3)).toEqual(['a2']);
  });

  it('forgets all on clear', () => {
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
  it('drops the oldest and tells which', () => {
    const { queue, dropped } = queueOf(2);
    for (const value of ['a', 'b', 'c', 'd']) queue.push(value, undefined, 1);
    expect(dropped).toEqual(['a', 'b']);
    expect(drain(queue, 1)).toEqual(['c', 'd']);
  });

  it('merges before it drops', () => {
    const { queue, dropped } = queueOf(2);
    queue.push('a0', 'a', 1);
    queue.push('b0', 'b', 1);
    queue.push('a1', 'a', 2);
    expect(dropped).toEqual([]);
    expect(drain(queue, 3)).toEqual(['b0', 'a1+1']);
  });
});

/** The same rules, written without regard to cost. */
class Model {
  waiting: { value: string; key: string | undefined; turn: number; conflated: number }[] = [];
  dropped: string[] = [];
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(value: string, key: string | undefined, turn: number): void {
    this.waiting.push({ value, key, turn, conflated: 0 });
    if (this.waiting.length <= this.limit) return;
    for (const slot of [...this.waiting]) this.#merge(slot, turn);
    while (this.waiting.length > this.limit) this.dropped.push(this.waiting.shift()?.value ?? '');
  }

  take(turn: number): { value: string; conflated: number } | undefined {
    while (this.waiting[0] !== undefined && this.#merge(this.waiting[0], turn));
    return this.waiting.shift();
  }

  #merge(slot: (typeof this.waiting)[number], turn: number): boolean {
    const newest = this.waiting.findLast(({ key }) => key === slot.key);
    if (slot.key === undefined || slot.turn === turn || newest === undefined || newest === slot) return false;
    newest.conflated += slot.conflated + 1;
    this.waiting.splice(this.waiting.indexOf(slot), 1);
    return true;
  }
}

describe('as a whole', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('push a', 'push b', 'push c', 'push -') },
    { weight: 3, arbitrary: fc.constant('take') },
    { weight: 2, arbitrary: fc.constant('turn') },
  );
  const limit = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Number.POSITIVE_INFINITY));

  it('does what the model does, and accounts for every message', () => {
    fc.assert(
      fc.property(limit, fc.array(step, { maxLength: 120 }), (max, steps) => {
        const { queue, dropped } = queueOf(max);
        const model = new Model(max);
        let turn = 1;
        let pushed = 0;
        const handled = { count: 0, merged: 0 };
        const take = () => {
          const taken = queue.take(turn);
          const expected = model.take(turn);
          expect(taken && { value: taken.value, conflated: taken.conflated }).toEqual(
            expected && { value: expected.value, conflated: expected.conflated },
          );
          if (taken === undefined) return false;
          handled.count++;
          handled.merged += taken.conflated;
          return true;
        };
        for (const what of steps) {
          if (what === 'turn') turn++;
          else if (what === 'take') take();
          else {
            const key = what.at(-1) === '-' ? undefined : what.at(-1);
            const value = `${key ?? '-'}${pushed++}`;
            queue.push(value, key, turn);
            model.push(value, key, turn);
          }
          expect(queue.depth).toBe(model.waiting.length);
          expect(queue.depth).toBeLessThanOrEqual(max);
          expect(dropped).toEqual(model.dropped);
        }
        while (take());
        if (max === Number.POSITIVE_INFINITY) expect(handled.count + handled.merged).toBe(pushed);
        else expect(handled.count + handled.merged + dropped.length).toBeLessThanOrEqual(pushed);
      }),
      { numRuns: 1_000 },
    );
  });
});

it('holds as many messages as there are keys while nothing is taken, and still counts every one', () => {
  const { queue } = queueOf();
  const [keys, turns] = [10, 20_000];
  let deepest = 0;
  for (let turn = 1; turn <= turns; turn++) {
    queue.push(`value ${turn}`, `key ${turn % keys}`, turn);
    deepest = Math.max(deepest, queue.depth);
  }
  expect(deepest).toBeLessThanOrEqual(1_001);
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
