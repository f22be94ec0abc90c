// DeliveryQueue against a naive model, on random operations.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DeliveryQueue, type QueuedMessage } from '../../subscribe/delivery-queue.ts';

interface Waiting {
  readonly value: string;
  readonly key: string | undefined;
  readonly turn: number;
  readonly since: number;
  isMerged: boolean;
}

/** A queue with the same rules, without optimization: a conflated message stays in line until `take` skips it. */
class NaiveQueue {
  readonly dropped: QueuedMessage<string>[] = [];
  readonly #limit: number;
  readonly #maxBytes: number;
  readonly #line: Waiting[] = [];
  /** For each key the conflated messages that are not reported yet, oldest first. */
  readonly #merged = new Map<string | undefined, string[]>();

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  /** The size of the messages that wait, and of the oldest message merged into each. */
  get bytes(): number {
    const waiting = this.#line.filter(({ isMerged }) => !isMerged).map(({ value }) => value);
    const firsts = Array.from(this.#merged.values(), ([first = '']) => first);
    return [...waiting, ...firsts].reduce((sum, value) => sum + sizeOf(value), 0);
  }

  get depth(): number {
    return this.#line.filter(({ isMerged }) => !isMerged).length;
  }

  get oldestSince(): number | undefined {
    return this.#line[0]?.since;
  }

  push(value: string, key: string | undefined, turn: number, since: number): void {
    this.#line.push({ value, key, turn, since, isMerged: false });
    for (const waiting of this.#line) this.#mergeIfSuperseded(waiting, turn);
    while (this.depth > this.#limit || this.bytes > this.#maxBytes) {
      const dropped = this.take(turn);
      if (dropped !== undefined) this.dropped.push(dropped);
    }
  }

  take(turn: number): QueuedMessage<string> | undefined {
    for (let next = this.#line[0]; next !== undefined; next = this.#line[0]) {
      this.#mergeIfSuperseded(next, turn);
      const { value, key, isMerged } = next;
      const merged = this.#isNewest(next) ? (this.#merged.get(key) ?? []) : [];
      this.#line.shift();
      if (isMerged) continue;
      if (merged.length > 0) this.#merged.delete(key);
      return { value, conflated: merged.length, first: merged[0] };
    }
    return undefined;
  }

  #isNewest(waiting: Waiting): boolean {
    return waiting.key !== undefined && this.#line.findLast(({ key }) => key === waiting.key) === waiting;
  }

  #mergeIfSuperseded(waiting: Waiting, turn: number): void {
    const { value, key, isMerged } = waiting;
    if (isMerged || key === undefined || waiting.turn === turn || this.#isNewest(waiting)) return;
    waiting.isMerged = true;
    this.#merged.set(key, [...(this.#merged.get(key) ?? []), value]);
  }
}

/** 0 to 6 bytes, from the number at the end of the value. */
function sizeOf(value: string): number {
  return Number(value.slice(1)) % 7;
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('push a', 'push b', 'push c', 'push d', 'push') },
  { weight: 3, arbitrary: fc.constant('take') },
  { weight: 3, arbitrary: fc.constant('turn') },
);
const maxSize = fc.oneof(fc.integer({ min: 6, max: 30 }), fc.constant(Number.POSITIVE_INFINITY));
const limit = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Number.POSITIVE_INFINITY));

it('equals the naive model and accounts for every message', () => {
  fc.assert(
    fc.property(limit, maxSize, fc.array(step, { maxLength: 120 }), (max, maxBytes, steps) => {
      const dropped: QueuedMessage<string>[] = [];
      const queue = new DeliveryQueue<string>({
        limit: max,
        maxBytes,
        sizeOf,
        onDrop: (one) => dropped.push(fieldsOf(one)),
      });
      const naive = new NaiveQueue(max, maxBytes);
      const handled: QueuedMessage<string>[] = [];
      let turn = 1;
      let pushed = 0;
      const take = () => {
        const taken = queue.take(turn);
        expect(taken && fieldsOf(taken)).toEqual(naive.take(turn));
        if (taken !== undefined) handled.push(taken);
        return taken !== undefined;
      };
      for (const operation of steps) {
        if (operation === 'turn') turn++;
        else if (operation === 'take') take();
        else {
          const key = operation.split(' ')[1];
          const value = `${key ?? '-'}${pushed++}`;
          queue.push(value, key, turn, turn * 10);
          naive.push(value, key, turn, turn * 10);
        }
        expect(queue.depth).toBe(naive.depth);
        expect(queue.depth).toBeLessThanOrEqual(max);
        expect(queue.bytes).toBe(naive.bytes);
        expect(queue.bytes).toBeLessThanOrEqual(maxBytes);
        expect(queue.oldestSince).toBe(naive.oldestSince);
        expect(dropped).toEqual(naive.dropped);
      }
      while (take());
      expect(queue.depth).toBe(0);
      expect(queue.bytes).toBe(0);
      const accounted = [...handled, ...dropped].reduce((sum, { conflated }) => sum + 1 + conflated, 0);
      expect(accounted).toBe(pushed);
    }),
    { numRuns: 2_000 },
  );
});

function fieldsOf({ value, conflated, first }: QueuedMessage<string>): QueuedMessage<string> {
  return { value, conflated, first };
}
