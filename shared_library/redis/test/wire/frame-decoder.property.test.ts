// A decoder with learned JSON layouts against plain parsing, on random messages with random damage.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TickbusError } from '../../errors.ts';
import { checkedEnvelope, decodeEnvelope, type Envelope } from '../../wire/envelope.ts';
import { FrameDecoder } from '../../wire/frame-decoder.ts';

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

/** Field names of a payload. A session uses few layouts, so that its messages repeat layouts with different values. */
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
/** Damage to every n-th frame: one byte is changed, removed or inserted. */
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

/** Sizes of successive batches. */
const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 4, maxLength: 12 });

/** The result for each document of a batch, parsed at once; undefined if the batch is not valid JSON. */
function parsedBatch(frame: Uint8Array): readonly (Envelope | string)[] | undefined {
  let documents: readonly unknown[];
  try {
    documents = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(frame));
  } catch {
    return undefined;
  }
  return documents.map((document) => outcomeOf(() => checkedEnvelope(document)));
}

/** The result of `read`, or the text of the TickbusError that it throws. */
function outcomeOf<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof TickbusError) return error.message;
    throw error;
  }
}

it('read accepts and rejects exactly what JSON.parse and the checks do', () => {
  fc.assert(
    fc.property(session, damage, (messages, { every, ...how }) => {
      const reader = new FrameDecoder();
      for (const [index, fields] of messages.entries()) {
        const whole = utf8.encode(JSON.stringify(messageOf(fields)));
        const frame = index % every === every - 1 ? damaged(whole, { ...how, at: how.at + index }) : whole;
        const expected = outcomeOf(() => decodeEnvelope(frame));
        expect(outcomeOf(() => reader.read(frame))).toStrictEqual(expected);
      }
    }),
    { numRuns: 300 },
  );
});

it('readBatch treats each message as if it came alone, and accepts a batch as JSON.parse does', () => {
  fc.assert(
    fc.property(session, cuts, damage, (messages, sizes, { every, ...how }) => {
      const reader = new FrameDecoder();
      let from = 0;
      for (const [index, size] of sizes.entries()) {
        const whole = utf8.encode(JSON.stringify(messages.slice(from, from + size).map(messageOf)));
        from = (from + size) % (messages.length - 12);
        // The first byte stays: it marks a batch.
        const isDamaged = index % every === every - 1;
        const rest = isDamaged
          ? damaged(whole.subarray(1), { ...how, at: how.at + index })
          : whole.subarray(1);
        const frame = Uint8Array.from([0x5b, ...rest]);
        let ends: readonly number[] | undefined;
        const outcome = outcomeOf(() => {
          const batch = reader.readBatch(frame);
          ends = batch?.ends;
          return batch?.documents.map((document) => outcomeOf(() => batch.check(document)));
        });
        const expected = parsedBatch(frame);
        if (expected?.length === 0) expect(outcome).toContain('is an empty array');
        else if (expected !== undefined) expect(outcome).toStrictEqual(expected);
        else expect([outcome].flat()).toContainEqual(expect.any(String));
        const alone = ends?.map((end, nth) =>
          outcomeOf(() => decodeEnvelope(frame.subarray((ends?.[nth - 1] ?? 0) + 1, end))),
        );
        if (alone !== undefined) expect(alone).toStrictEqual(outcome);
      }
    }),
    { numRuns: 300 },
  );
});
