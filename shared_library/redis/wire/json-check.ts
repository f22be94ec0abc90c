// Finds the first value in a document that is not allowed in a message.

import { MAX_DEPTH, MAX_MESSAGE_BYTES } from '../channel/limits.ts';
import { printable } from '../runtime/printable.ts';

export interface Problem {
  /** Path from the root of the document; '' is the root. */
  readonly path: string;
  readonly reason: string;
}

/** The first problem of a parsed message, if any. */
export function documentProblem(document: object): Problem | undefined {
  return firstProblem(document, 1);
}

/** The first problem of a payload to be sent in an envelope, if any. Throws whatever a getter in it throws. */
export function payloadProblem(data: object): Problem | undefined {
  return firstProblem(data, 2);
}

/** Concatenates two paths. */
export function joinPath(head: string, tail: string): string {
  if (tail === '') return head;
  return tail.startsWith('[') ? head + tail : `${head}.${tail}`;
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

/**
 * Number of values visited in the current document. A document with more than MAX_MESSAGE_BYTES values cannot fit in a
 * message. Even a few objects can contain so many values, if they are referenced many times.
 */
let visited = 0;

function firstProblem(document: object, depth: number): Problem | undefined {
  visited = 0;
  if (passesFastCheck(document, depth) && visited <= MAX_MESSAGE_BYTES) return undefined;
  visited = 0;
  return findProblem(document, depth);
}

/**
 * True for arrays and plain objects of this realm that contain only JSON values, which most documents do. False is
 * inconclusive: `findProblem` then decides.
 */
function passesFastCheck(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH || visited > MAX_MESSAGE_BYTES) return false;
  // Separate `toJSON` lookups for arrays and objects: a shared one sees too many hidden classes for its inline cache.
  if (Array.isArray(value)) {
    if ('toJSON' in value) return false;
    visited += value.length;
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (Array.isArray(item) && depth < MAX_DEPTH && isNumericRow(item)) continue;
      if (item === undefined || !itemPassesFastCheck(item, depth)) return false;
    }
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  if ('toJSON' in value || Symbol.toStringTag in value) return false;
  for (const key in value) {
    visited++;
    if (key === 'constructor' || key === '__proto__') return false;
    if (!itemPassesFastCheck((value as Record<string, unknown>)[key], depth)) return false;
  }
  return true;
}

/**
 * True for an inner array of finite numbers, such as a level of an order book. It has a separate loop: V8 converts an
 * array of doubles before reading it in a loop that has seen arrays of objects, which costs more than the check.
 */
function isNumericRow(row: readonly unknown[]): boolean {
  if ('toJSON' in row) return false;
  for (let index = 0; index < row.length; index++) if (!Number.isFinite(row[index])) return false;
  visited += row.length;
  return true;
}

function itemPassesFastCheck(item: unknown, depth: number): boolean {
  switch (typeof item) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(item);
    case 'object':
      return item === null || passesFastCheck(item, depth + 1);
    default:
      return false;
  }
}

const UNDEFINED_ITEM: Problem = { path: '', reason: 'is undefined, which JSON would turn into null' };

/** The first value that is not allowed. The path is built only if there is such a value. */
function findProblem(value: unknown, depth: number): Problem | undefined {
  if (++visited > MAX_MESSAGE_BYTES)
    return { path: '', reason: `exceeds the number of values that fit in ${MAX_MESSAGE_BYTES} bytes` };
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
      return { path: '', reason: `is a ${typeof value}, which JSON cannot represent` };
  }
}

function findProblemInside(value: object, depth: number): Problem | undefined {
  if (depth > MAX_DEPTH) return { path: '', reason: `is nested deeper than ${MAX_DEPTH} levels` };
  if (Array.isArray(value)) {
    if (hasToJson(value)) return { path: '', reason: 'has a toJSON method, which would send another value' };
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      const problem = item === undefined ? UNDEFINED_ITEM : findProblem(item, depth + 1);
      if (problem !== undefined)
        return { path: joinPath(`[${index}]`, problem.path), reason: problem.reason };
    }
    return undefined;
  }
  if (!isPlain(value))
    return { path: '', reason: `is a ${kindOf(value)}, which JSON cannot represent faithfully` };
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) return { path: key, reason: 'has a name that is not allowed' };
    const problem = findProblem((value as Record<string, unknown>)[key], depth + 1);
    if (problem !== undefined) return { path: joinPath(key, problem.path), reason: problem.reason };
  }
  return undefined;
}

/** Whether the value is an object literal or equivalent, of any realm. Its JSON consists of its own fields only. */
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
  return typeof name === 'string' && name !== 'Object' ? printable(name, 50) : 'custom object';
}
