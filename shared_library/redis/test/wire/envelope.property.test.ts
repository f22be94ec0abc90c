// Wire format under random input: every frame is a valid envelope or rejected with a TickbusError.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import { TickbusError } from '../../errors.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../wire/envelope.ts';
import { frameOf } from '../channels.fixture.ts';

const utf8 = new TextEncoder();

// JSON writes -0 as 0.
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
const text = fc.string({ unit: 'binary' });
const key = text.filter((name) => name !== '__proto__' && name !== 'constructor');
const count = fc.maxSafeNat();

const { data } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 6 }, text, finite, fc.boolean(), fc.constant(null), tie('list'), tie('data')),
  list: fc.array(tie('value'), { maxLength: 4 }),
  data: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
}));

const position = fc.option(fc.record({ seq: count, epoch: count }), { nil: undefined });
const envelope = fc
  .tuple(
    fc.record(
      {
        message_type: text.filter((type) => type !== ''),
        data: data as fc.Arbitrary<Record<string, unknown>>,
        timestamp: finite,
        sender: text,
        at: count,
        id: text,
        expires_at: count,
      },
      { requiredKeys: ['message_type', 'data', 'timestamp', 'sender'], noNullPrototype: true },
    ),
    position,
  )
  .map(([fields, place]): Envelope => ({ ...fields, ...place }));

const anything = fc.jsonValue({ maxDepth: 4 });
/** A document with some fields of an envelope, and arbitrary values. */
const nearEnvelope = fc.record(
  Object.fromEntries(
    ['message_type', 'data', 'timestamp', 'sender', 'seq', 'epoch', 'at', 'id', 'expires_at'].map((name) => [
      name,
      fc.oneof(anything, text, count, data),
    ]),
  ),
  { requiredKeys: [] },
);

/** Decodes a frame. Returns undefined if it is rejected with TICKBUS_INVALID_MESSAGE; rethrows any other error. */
function decoded(frame: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(frame);
  } catch (error) {
    if (error instanceof TickbusError && error.code === 'TICKBUS_INVALID_MESSAGE') return undefined;
    throw error;
  }
}

/** Checks the invariants of an accepted envelope. */
function expectValid(decodedEnvelope: Envelope): void {
  expect(decodedEnvelope.message_type).toEqual(expect.any(String));
  expect(decodedEnvelope.message_type).not.toBe('');
  expect(Object.prototype.toString.call(decodedEnvelope.data)).toBe('[object Object]');
  expect(Number.isFinite(decodedEnvelope.timestamp)).toBe(true);
  expect(typeof decodedEnvelope.sender).toBe('string');
  expect(decodedEnvelope.seq === undefined).toBe(decodedEnvelope.epoch === undefined);
}

describe('encodeEnvelope and decodeEnvelope', () => {
  it('decode(encode(x)) equals x for every valid envelope', () => {
    fc.assert(
      fc.property(envelope, (decodedEnvelope) => {
        expect(decodeEnvelope(utf8.encode(encodeEnvelope(decodedEnvelope)))).toEqual(decodedEnvelope);
      }),
      { numRuns: 500 },
    );
  });

  it('decode accepts or rejects any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decodedEnvelope = decoded(bytes);
        if (decodedEnvelope !== undefined) expectValid(decodedEnvelope);
      }),
      { numRuns: 2_000 },
    );
  });

  it('decode accepts or rejects a valid message with changed bytes', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(envelope, fc.array(change, { minLength: 1, maxLength: 4 }), (decodedEnvelope, changes) => {
        const frame = utf8.encode(encodeEnvelope(decodedEnvelope));
        for (const [place, byte] of changes) frame[place % frame.length] = byte;
        const other = decoded(frame);
        if (other !== undefined) expectValid(other);
      }),
      { numRuns: 1_000 },
    );
  });

  it('decode accepts or rejects any JSON, and encode accepts what decode accepted', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(anything, nearEnvelope, envelope), (document) => {
        const decodedEnvelope = decoded(frameOf(document));
        if (decodedEnvelope === undefined) return;
        accepted++;
        expectValid(decodedEnvelope);
        expect(JSON.parse(encodeEnvelope(decodedEnvelope))).toEqual(JSON.parse(JSON.stringify(document)));
      }),
      { numRuns: 1_500 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('decode reads what encode accepts as the same JSON; encode rejects the rest with TICKBUS_INVALID_MESSAGE', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withBoxedValues: true,
      maxDepth: 4,
    });
    let accepted = 0;
    let refused = 0;
    fc.assert(
      fc.property(fc.dictionary(text, value, { maxKeys: 3 }), (payload) => {
        const decodedEnvelope: Envelope = { message_type: 'm', data: payload, timestamp: 1, sender: 's' };
        let json: string;
        try {
          json = encodeEnvelope(decodedEnvelope);
        } catch (error) {
          refused++;
          expect(error).toMatchObject({ name: 'TickbusError', code: 'TICKBUS_INVALID_MESSAGE' });
          expect((error as TickbusError).field).toMatch(/^data/);
          return;
        }
        accepted++;
        expect(decodeEnvelope(utf8.encode(json))).toEqual(JSON.parse(json));
      }),
      { numRuns: 1_500 },
    );
    expect(accepted).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });

  it('decode measures the size limit in bytes for any characters', () => {
    const filler = fc.tuple(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
      fc.integer({ min: -600, max: 600 }),
    );
    fc.assert(
      fc.property(filler, ([unit, offset]) => {
        const empty = { message_type: 'm', data: { pad: '' }, timestamp: 1, sender: 's' };
        const width = utf8.encode(JSON.stringify(unit).slice(1, -1)).byteLength;
        const times = Math.max(1, Math.floor((MAX_MESSAGE_BYTES + offset) / width));
        const decodedEnvelope = { ...empty, data: { pad: unit.repeat(times) } };
        const frame = frameOf(decodedEnvelope);
        expect(decoded(frame) === undefined).toBe(frame.byteLength > MAX_MESSAGE_BYTES);
      }),
      { numRuns: 60 },
    );
  });
});
