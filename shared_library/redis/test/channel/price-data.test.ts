// The fast path in front of the price schema: it accepts only what the schema accepts unchanged.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { price } from '../../channel/schemas/price-data.ts';

const value = fc.oneof(
  fc.double(),
  fc.constantFrom(-1, 0, 1, 1e308, Number.NaN, Number.POSITIVE_INFINITY),
  fc.string({ maxLength: 3 }),
  fc.constantFrom(
    '',
    'AAPL',
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(128),
    'x'.repeat(129),
    'trade',
    'quote',
    'midpoint',
  ),
  fc.constantFrom(null, undefined, true, [], {}),
);
const field = fc.constantFrom(
  ...['bid', 'ask', 'bid_size', 'ask_size', 'size', 'venue', 'source', 'note'],
  ...['cause', 'trade_time', 'quote_time', 'trades_until'],
);
const validPrice = { symbol: 'AAPL', price: 1, timestamp: 2 };
/** Mostly valid payloads, so that the schema often accepts and often rejects. */
const payload = fc.oneof(
  fc
    .dictionary(field, value, { maxKeys: 3, noNullPrototype: true })
    .map((more) => ({ ...validPrice, ...more })),
  fc
    .tuple(fc.constantFrom('symbol', 'price', 'timestamp'), value)
    .map(([name, other]) => ({ ...validPrice, [name]: other })),
  fc.constantFrom('symbol', 'price', 'timestamp').map((name) => ({ ...validPrice, [name]: undefined })),
  value,
);

it('validate returns what the zod schema returns for any payload', () => {
  fc.assert(
    fc.property(payload, (data) => {
      const guarded = price['~standard'].validate(data) as { value?: unknown; issues?: readonly unknown[] };
      const plain = price.safeParse(data);
      expect(guarded.issues === undefined).toBe(plain.success);
      if (plain.success) expect(guarded.value).toEqual(plain.data);
      else expect(guarded.issues).toEqual(plain.error.issues);
    }),
    { numRuns: 2_000 },
  );
});

it('validate drops unknown fields and returns a valid price unchanged', () => {
  expect(price['~standard'].validate({ ...validPrice, note: 1 })).toEqual({ value: validPrice });
  expect(price['~standard'].validate(validPrice)).toEqual({ value: validPrice });
});

it('the guarded schema is still a zod schema', () => {
  expect(z.toJSONSchema(price)).toMatchObject({ type: 'object', required: ['symbol', 'price', 'timestamp'] });
  expect(z.object({ price }).safeParse({ price: validPrice }).success).toBe(true);
});
