// Copies messages, so that a receiver that changes a message does not affect other receivers.

import { MAX_DEPTH } from '../channel/limits.ts';
import type { Message } from './message.ts';
import { largeSizeOf, recordSize } from './message-size.ts';

/**
 * A copy that shares nothing with the message, except some values that only a schema can create: instances of classes
 * other than Map, Set and Date, and values nested deeper than a message can be.
 */
export function copyMessage(message: Message): Message {
  const copy = { ...message, data: copyValue(message.data, MAX_DEPTH) as Message['data'] };
  recordSize(copy, largeSizeOf(message));
  return copy;
}

function copyValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  if (Array.isArray(value)) return value.map((item) => copyValue(item, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null)
    return copyObject(value as Record<string, unknown>, depth);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map)
    return new Map(
      Array.from(value, ([key, item]) => [copyValue(key, depth - 1), copyValue(item, depth - 1)]),
    );
  if (value instanceof Set) return new Set(Array.from(value, (item) => copyValue(item, depth - 1)));
  return value;
}

/** The spread copies all fields at once, which takes less time than one by one. Few payloads have nested values. */
function copyObject(value: Record<string, unknown>, depth: number): Record<string, unknown> {
  const copy = { ...value };
  for (const key in copy) {
    const field = copy[key];
    if (typeof field === 'object' && field !== null) copy[key] = copyValue(field, depth - 1);
  }
  return copy;
}
