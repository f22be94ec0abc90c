// Whether a document has nothing in it that may not be sent or delivered, and if it has, what and where.

import { MAX_DEPTH, MAX_MESSAGE_BYTES } from '../channel/limits.ts';
import { printable } from '../runtime/printable.ts';

export interface Problem {
  /** Where it is, from the document on; '' for the document itself. */
  readonly path: string;
  readonly reason: string;
}

/** The first problem of a parsed message; undefined: it has none. */
export function documentProblem(document: object): Problem | undefined {
  return firstProblem(document, 1);
}

/** The first problem of a payload that is to be sent in an envelope; undefined: it has none. A getter in it may throw. */
export function payloadProblem(data: object): Problem | undefined {
  return firstProblem(data, 2);
}

/** One path behind another. */
export function joinPath(head: string, tail: string): string {
  if (tail === '') return head;
  return tail.startsWith('[') ? head + tail : `${head}.${tail}`;
}

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

/** Values visited in the document at hand. A message within the size limit has fewer; shared parts can add up to more. */
let visited = 0;

function firstProblem(document: object, depth: number): Problem | undefined {
  visited = 0;
  if (passesFastCheck(document, depth) && visited <= MAX_MESSAGE_BYTES) return undefined;
  visited = 0;
  return findProblem(document, depth);
}

/**
 * The fast check, which most documents pass: plain objects of this realm and arrays, with nothing in them but what JSON carries.
 * False does not mean that there is a problem: `findProblem` decides.
 */
function passesFastCheck(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH || visited > MAX_MESSAGE_BYTES) return false;
  // Arrays and objects each have their own lookup of `toJSON`: a shared one sees too many hidden classes to be cached.
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
 * True for an inner array of finite numbers, such as a level of an order book. It has a loop of its own, because V8 converts an array of
 * doubles before it reads it in a loop that has seen arrays of objects, and that costs more than the check.
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

/** The first value that may not be sent or delivered; the path is put together only when there is one. */
function findProblem(value: unknown, depth: number): Problem | undefined {
  if (++visited > MAX_MESSAGE_BYTES)
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
      if (problem !== undefined)
        return { path: joinPath(`[${index}]`, problem.path), reason: problem.reason };
    }
    return undefined;
  }
  if (!isPlain(value)) return { path: '', reason: `is a ${kindOf(value)}, which JSON cannot carry as it is` };
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) return { path: key, reason: 'has a name that is not allowed' };
    const problem = findProblem((value as Record<string, unknown>)[key], depth + 1);
    if (problem !== undefined) return { path: joinPath(key, problem.path), reason: problem.reason };
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
