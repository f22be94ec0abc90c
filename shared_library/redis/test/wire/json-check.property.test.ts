// The payload check against a slow reference, on random payloads with unusual values.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_DEPTH, MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import { documentProblem, payloadProblem } from '../../wire/json-check.ts';

class Amount {
  amount = 1;
}

const unusual = fc.constantFrom<() => unknown>(
  () => undefined,
  () => Number.NaN,
  () => Number.NEGATIVE_INFINITY,
  () => 1n,
  () => () => 1,
  () => Symbol('s'),
  () => new Map([[1, 2]]),
  () => new Date(0),
  () => new Amount(),
  () => new Uint8Array(2),
  () => Object(1),
  () => Object.create(null),
  () => Object.assign(Object.create(null), { a: 1 }),
  () => ({ toJSON: 1 }),
  () => ({ toJSON: () => 1 }),
  () => Object.assign([1, 2], { toJSON: () => 1 }),
  () => ({ [Symbol.toStringTag]: 'Odd' }),
  () => ({ constructor: 1 }),
  () => JSON.parse('{"__proto__":1}'),
  () => new Array(3),
  () => nested(MAX_DEPTH - 3),
  () => nested(MAX_DEPTH),
  () => nestedLists(MAX_DEPTH - 3),
  () => nestedLists(MAX_DEPTH - 2),
  () => nestedLists(MAX_DEPTH - 1),
);
const plain = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.string({ maxLength: 4 }),
  fc.boolean(),
  fc.constant(null),
);
/** Rows of numbers, as in an order book, some of them unusual. */
const rows = fc.array(
  fc.array(
    fc.oneof(
      { arbitrary: fc.float(), weight: 20 },
      unusual.map((make) => make()),
    ),
    { maxLength: 3 },
  ),
  { maxLength: 3 },
);
const { payload } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    { arbitrary: plain, weight: 20 },
    { arbitrary: unusual.map((make) => make()), weight: 2 },
    { arbitrary: rows, weight: 5 },
    { arbitrary: tie('list'), weight: 10 },
    { arbitrary: tie('payload'), weight: 10 },
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  payload: fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
}));

function nested(depth: number): object {
  return depth === 1 ? [1.5] : { a: nested(depth - 1) };
}

function nestedLists(depth: number): unknown[] {
  return depth === 1 ? [1.5] : [nestedLists(depth - 1)];
}

/** Whether JSON carries the value unchanged, within the depth limit of receivers. */
function isFaithful(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value !== 'object' || depth > MAX_DEPTH) return false;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  if (Array.isArray(value))
    return Array.from(value).every((item) => item !== undefined && isFaithful(item, depth + 1));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return false;
  if (Symbol.toStringTag in value) return false;
  return Object.entries(value).every(
    ([key, item]) => key !== '__proto__' && key !== 'constructor' && isFaithful(item, depth + 1),
  );
}

it('problemOfPayload accepts exactly the payloads that JSON carries unchanged', () => {
  const answers = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(payload, (data) => {
      const isAccepted = payloadProblem(data as object) === undefined;
      expect(isAccepted).toBe(isFaithful(data, 2));
      expect(documentProblem({ data }) === undefined).toBe(isAccepted);
      if (isAccepted) answers.accepted++;
      else answers.refused++;
    }),
    { numRuns: 3_000 },
  );
  expect(Math.min(answers.accepted, answers.refused)).toBeGreaterThan(200);
});

it('problemOfPayload rejects more values than a message can have, shared or not', () => {
  const fits = { list: new Array(MAX_MESSAGE_BYTES - 2).fill(0) };
  expect(payloadProblem(fits)).toBeUndefined();
  const tooMany = { reason: expect.stringContaining('number of values') };
  expect(payloadProblem({ list: new Array(MAX_MESSAGE_BYTES).fill(0) })).toMatchObject(tooMany);
  let shared: unknown[] = [];
  for (let depth = 0; depth < 25; depth++) shared = [shared, shared];
  expect(payloadProblem({ shared })).toMatchObject(tooMany);
});
