// Copies of messages: equal, and independent at every depth.

import { describe, expect, it } from 'vitest';
import { copyMessage } from '../../wire/copy-message.ts';
import type { Message } from '../../wire/message.ts';

const messageWith = (data: unknown) => ({
  message_type: 't',
  data,
  timestamp: 1,
  sender: 's',
  seq: 1,
  epoch: 2,
});

/** Every object that can be reached from a value. */
function objectsIn(value: unknown, found = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  const items = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  for (const item of items) objectsIn(item, found);
  return found;
}

describe('copyMessage', () => {
  it.each([
    ['a flat payload', { symbol: 'A', price: 1, open: true, note: null }],
    ['nested objects and arrays', { legs: [{ n: 1, of: [[1], { deep: [{}] }] }], total: { n: 2 } }],
    ['an object without a prototype', Object.assign(Object.create(null), { inner: { n: 1 } })],
    ['Map, Set and Date', { at: new Date(5), map: new Map([['k', { n: 1 }]]), set: new Set([{ n: 1 }]) }],
  ])('shares no object of %s', (_, data) => {
    const message = messageWith(data) as unknown as Message;
    const copy = copyMessage(message);
    expect(copy).toEqual(message);
    const shared = [...objectsIn(copy)].filter((object) => objectsIn(message).has(object));
    expect(shared).toEqual([]);
  });

  it('keeps an instance of a class, and ends on a cycle that a schema has made', () => {
    class Decimal {
      readonly #n = 1;
      get n() {
        return this.#n;
      }
    }
    const amount = new Decimal();
    const data: Record<string, unknown> = { amount };
    data.self = data;
    const copy = copyMessage(messageWith(data) as unknown as Message).data as typeof data;
    expect(copy.amount).toBe(amount);
    expect(copy.self).not.toBe(data);
  });
});
