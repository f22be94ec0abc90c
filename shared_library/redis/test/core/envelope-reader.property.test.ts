// A reader with experience against one without, on random messages, and on what random damage makes of them.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeEnvelope, type Envelope } from '../../core/envelope.ts';
import { EnvelopeReader } from '../../core/envelope-reader.ts';
import { TickbusError } from '../../errors.ts';

const utf8 = new TextEncoder();

const plain = fc.oneof(
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 100),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeNat(),
  fc.constantFrom(0, -0, 0.1 + 0.2, 1e21, 5e-324, 2 ** 53, 123_456_789, 1_234_567_890, 999_999_999_999_999),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.boolean(),
  fc.constant(null),
);
const key = fc.constantFrom('a', 'b', 'price', '0', 'ü', 'a b', '"', '');

/** A few layouts, so that messages are alike, each filled with other values time and again. */
const layout = fc.uniqueArray(key, { maxLength: 5 });
const session = fc.array(layout, { minLength: 1, maxLength: 3 }).chain((layouts) =>
  fc.array(
    fc.record({
      keys: fc.constantFrom(...layouts),
      values: fc.array(plain, { minLength: 6, maxLength: 6 }),
      isNested: fc.boolean(),
      sender: fc.constantFrom('gateway', 'gateway', 'standby'),
      seq: fc.nat(),
    }),
    { minLength: 40, maxLength: 80 },
  ),
);
/** What happens to the bytes of a message: at most one of them is changed, taken out or put in. */
const damage = fc.record({
  every: fc.integer({ min: 2, max: 20 }),
  at: fc.nat(),
  what: fc.constantFrom('change', 'remove', 'insert'),
  byte: fc.oneof(fc.constantFrom(...utf8.encode('0123456789.-+eE"\\{}[],: x\u0001')), fc.nat(255)),
});

function messageOf(fields: {
  keys: string[];
  values: unknown[];
  isNested: boolean;
  sender: string;
  seq: number;
}): Envelope {
  const { keys, values, isNested, sender, seq } = fields;
  const data = Object.fromEntries(keys.map((name, index) => [name, values[index]]));
  return {
    seq,
    epoch: 7,
    message_type: 'note',
    data: isNested ? { inner: data, last: values[5] } : data,
    timestamp: 1_780_000_000_000 + seq,
    sender,
  };
}

function damaged(
  bytes: Uint8Array,
  { at, what, byte }: { at: number; what: string; byte: number },
): Uint8Array {
  const place = at % bytes.length;
  const rest = bytes.subarray(what === 'insert' ? place : place + 1);
  const put = what === 'remove' ? [] : [byte];
  return Uint8Array.from([...bytes.subarray(0, place), ...put, ...rest]);
}

/** What reading gives: the envelope, or the sentence of its refusal. */
function outcomeOf(read: () => Envelope): Envelope | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof TickbusError) return error.message;
    throw error;
  }
}

it('reads and refuses what JSON.parse and the checks do, to the last bit', () => {
  fc.assert(
    fc.property(session, damage, (messages, { every, ...how }) => {
      const reader = new EnvelopeReader();
      const batches = new EnvelopeReader();
      for (const [index, fields] of messages.entries()) {
        const whole = utf8.encode(JSON.stringify(messageOf(fields)));
        const frame = index % every === every - 1 ? damaged(whole, { ...how, at: how.at + index }) : whole;
        const expected = outcomeOf(() => decodeEnvelope(frame));
        expect(outcomeOf(() => reader.read(frame))).toStrictEqual(expected);

        if (typeof expected === 'string') continue;
        const array = Uint8Array.from([...utf8.encode('['), ...frame, ...utf8.encode(','), ...frame, 0x5d]);
        const batch = batches.readBatch(array);
        const both = batch?.documents.map((document) => outcomeOf(() => batch.check(document)));
        expect(both).toStrictEqual([expected, expected]);
      }
    }),
    { numRuns: 300 },
  );
});
