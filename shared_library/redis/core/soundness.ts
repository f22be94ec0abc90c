// Whether a document has nothing in it that may not be sent or delivered, and if it has, what and where.

import { MAX_DEPTH, MAX_MESSAGE_BYTES } from './limits.ts';
import { printable } from './printable.ts';

export interface Problem {
  /** Where it is, from the document on; '' for the document itself. */
  readonly path: string;
  readonly reason: string;
}

/** The first problem of a document that JSON.parse gave; undefined: it has none. */
export function problemOf(document: object): Problem | undefined {
  return isSound(document, 1) ? undefined : firstProblem(document, 1);
}

/** The first problem of a payload that somebody made, inside of an envelope; undefined: it has none. A getter in it may throw. */
export function problemOfPayload(data: object): Problem | undefined {
  walked = 0;
  return isSoundPayload(data, 2) ? undefined : firstProblem(data, 2);
}

/** One path behind another. */
export function join(head: string, tail: string): string {
  if (tail === '') return head;
  return tail.startsWith('[') ? head + tail : `${head}.${tail}`;
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

/**
 * Whether a parsed document has no problem. JSON.parse makes nothing but plain objects, so this asks for less than `findProblem`,
 * which then says what the problem is; every message received pays for it.
 */
function isSound(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isSoundItem(item, depth)) return false;
    return true;
  }
  for (const key in value) {
    if (key === 'constructor' || key === '__proto__') return false;
    if (!isSoundItem((value as Record<string, unknown>)[key], depth)) return false;
  }
  return true;
}

function isSoundItem(item: unknown, depth: number): boolean {
  if (typeof item === 'number') return Number.isFinite(item);
  return typeof item !== 'object' || item === null || isSound(item, depth + 1);
}

/**
 * Whether a payload has no problem, as most have none: objects of this realm and arrays with nothing but what JSON carries. What is
 * not of that kind may be sound all the same, which `findProblem` then says.
 */
function isSoundPayload(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH || 'toJSON' in value) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (item === undefined || !isSoundPayloadItem(item, depth)) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype || Symbol.toStringTag in value) return false;
  for (const key in value) {
    if (key === 'constructor' || key === '__proto__') return false;
    if (!isSoundPayloadItem((value as Record<string, unknown>)[key], depth)) return false;
  }
  return true;
}

function isSoundPayloadItem(item: unknown, depth: number): boolean {
  if (++walked > MAX_MESSAGE_BYTES) return false;
  switch (typeof item) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(item);
    case 'object':
      return item === null || isSoundPayload(item, depth + 1);
    default:
      return false;
  }
}

const UNDEFINED_ITEM: Problem = { path: '', reason: 'is undefined, which JSON would turn into null' };

/** Values walked in the message at hand: no message within its size has more, and shared parts of an object can add up beyond it. */
let walked = 0;

function firstProblem(value: unknown, depth: number): Problem | undefined {
  walked = 0;
  return findProblem(value, depth);
}

/** The first value that may not be sent or delivered; the path is put together only when there is one. */
function findProblem(value: unknown, depth: number): Problem | undefined {
  if (++walked > MAX_MESSAGE_BYTES)
    return { path: '', reason: `is one value too many for ${MAX_MESSAGE_BYTES} bytes` };
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value)
        ? undefined
        : { path: '', reason: `is ${value}; only finite numbers are allowed` };
    case 'object':
      return value === null ? undefined : findProblemInside(value, depth);
    default:
      return { path: '', reason: `is a ${typeof value}, which JSON cannot carry` };
  }
}

function findProblemInside(value: object, depth: number): Problem | undefined {
  if (depth > MAX_DEPTH) return { path: '', reason: `is nested deeper than ${MAX_DEPTH} levels` };
  if (Array.isArray(value)) {
    if (hasToJson(value)) return { path: '', reason: 'has a toJSON, which would send something else' };
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      const problem = item === undefined ? UNDEFINED_ITEM : findProblem(item, depth + 1);
      if (problem !== undefined) return { path: join(`[${index}]`, problem.path), reason: problem.reason };
    }
    return undefined;
  }
  if (!isPlain(value)) return { path: '', reason: `is a ${kindOf(value)}, which JSON cannot carry as it is` };
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) return { path: key, reason: 'has a name that is not allowed' };
    const problem = findProblem((value as Record<string, unknown>)[key], depth + 1);
    if (problem !== undefined) return { path: join(key, problem.path), reason: problem.reason };
  }
  return undefined;
}

/** An object literal or the like, of whatever realm: nothing but its own fields makes up what is sent. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isRoot = prototype === null || Object.getPrototypeOf(prototype) === null;
  return (
    isRoot && !(Symbol.toStringTag in value) && !('toJSON' in value && typeof value.toJSON === 'function')
  );
}

function hasToJson(value: object): boolean {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function kindOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== 'Object'
    ? printable(name, 50)
    : 'object with a form of its own';
}
