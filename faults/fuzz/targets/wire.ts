// Fuzz targets of the wire format: the fast decoder must agree with JSON.parse and the envelope checks.

import { deepStrictEqual, equal, match, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { TickbusError } from 'tickbus';
import {
  checkedEnvelope,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
} from '../../../shared_library/redis/wire/envelope.ts';
import { FrameDecoder } from '../../../shared_library/redis/wire/frame-decoder.ts';
import { envelopes } from '../corpus.ts';
import { mutated } from '../mutations.ts';
import { defineTarget, timed } from '../target.ts';

/** Frames are often repeated, so that the decoder learns templates from them and applies these to later frames. */
const session = fc.array(fc.record({ frame: mutated(envelopes()), times: fc.constantFrom(1, 1, 1, 2, 12) }), {
  minLength: 1,
  maxLength: 6,
});

export const envelope = defineTarget({
  name: 'envelope',
  inputs: session,
  check(frames) {
    const decoder = new FrameDecoder();
    for (const { frame, times } of frames) {
      const expected = timed('decodeEnvelope', () => outcomeOf(() => decodeEnvelope(frame)));
      for (let left = times; left > 0; left--) {
        const actual = timed('FrameDecoder.read', () => outcomeOf(() => decoder.read(frame)));
        deepStrictEqual(actual, expected, 'The fast decoder and JSON.parse disagree.');
      }
      if (typeof expected !== 'string') checkRoundTrip(expected);
    }
  },
});

/** The encoder must either write an accepted message unchanged or reject it. */
function checkRoundTrip(accepted: Envelope): void {
  const json = timed('encodeEnvelope', () => {
    try {
      return encodeEnvelope(accepted);
    } catch (error) {
      if (error instanceof TickbusError) return undefined;
      throw error;
    }
  });
  if (json === undefined) return;
  deepStrictEqual(
    knownFields(decodeEnvelope(Buffer.from(json))),
    knownFields(accepted),
    'Encoding changes an accepted message.',
  );
}

/** The fields that the encoder writes, with the values that JSON can represent: -0 becomes 0. */
function knownFields({
  message_type,
  data,
  timestamp,
  sender,
  seq,
  epoch,
  at,
  id,
  expires_at,
}: Envelope): unknown {
  const known = { message_type, data, timestamp, sender, seq, epoch, at, id, expires_at };
  return JSON.parse(JSON.stringify(known));
}

/** Limits of the frames that a publisher sends. */
const PUBLISHED_BYTES = 256 * 1024;
const PUBLISHED_MESSAGES = 256;
const documents = fc.array(mutated(envelopes()), { maxLength: 12 });
const separators = fc.constantFrom(',', ',', ',', ',', ' , ', '', ',,');

export const frame = defineTarget({
  name: 'frame',
  inputs: fc.array(
    fc.record({ documents, separator: separators, end: fc.constantFrom(']', ']', ']', '', ']x') }),
    {
      minLength: 1,
      maxLength: 5,
    },
  ),
  check(batches) {
    const decoder = new FrameDecoder();
    for (const { documents: parts, separator, end } of batches) {
      const bytes = Buffer.from(`[${parts.map(String).join(separator)}${end}`);
      let ends: readonly number[] | undefined;
      const actual = timed('FrameDecoder.readBatch', () =>
        outcomeOf(() => {
          const batch = decoder.readBatch(bytes);
          ends = batch?.ends;
          return batch?.documents.map((document) => outcomeOf(() => batch.check(document))) ?? [];
        }),
      );
      const plain = parsedBatch(bytes);
      if (plain === undefined)
        ok([actual].flat().some(isRejected), 'The fast decoder accepts a batch that is not JSON.');
      else if (typeof actual === 'string')
        ok(
          plain.length === 0 || !isOrdinary(bytes, plain),
          `The fast decoder rejects a valid batch: ${actual}`,
        );
      else checkDocuments(actual, plain);
      if (ends !== undefined && typeof actual !== 'string') checkAlone(bytes, ends, actual);
    }
  },
});

/** The items of a batch, parsed by JSON.parse; undefined if the bytes are not JSON. */
function parsedBatch(bytes: Buffer): readonly unknown[] | undefined {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as unknown[];
  } catch {
    return undefined;
  }
}

/** Whether a publisher could send this batch: it is within the limits, and every item is an object. */
function isOrdinary(bytes: Buffer, items: readonly unknown[]): boolean {
  const isObject = (item: unknown) => typeof item === 'object' && item !== null && !Array.isArray(item);
  return bytes.length <= PUBLISHED_BYTES && items.length <= PUBLISHED_MESSAGES && items.every(isObject);
}

function checkDocuments(actual: readonly (Envelope | string)[], plain: readonly unknown[]): void {
  equal(actual.length, plain.length, 'The fast decoder finds another number of messages than JSON.parse.');
  for (const [index, outcome] of actual.entries()) {
    const expected = outcomeOf(() => checkedEnvelope(plain[index]));
    if (isRejected(outcome) && !isRejected(expected))
      match(outcome, /limit/, 'Only a limit rejects more than JSON.');
    else if (!isRejected(outcome))
      deepStrictEqual(outcome, expected, 'The fast decoder and JSON.parse disagree.');
  }
}

/** Each message of a batch must decode like the same message sent alone. `ends` are the offsets after each. */
function checkAlone(bytes: Buffer, ends: readonly number[], actual: readonly (Envelope | string)[]): void {
  equal(ends.length, actual.length, 'Each message of a batch has an end.');
  for (const [index, outcome] of actual.entries()) {
    const alone = bytes.subarray((ends[index - 1] ?? 0) + 1, ends[index]);
    if (!isRejected(outcome)) deepStrictEqual(outcome, decodeEnvelope(alone), 'The ends are wrong.');
  }
}

function isRejected(outcome: Envelope | string): outcome is string {
  return typeof outcome === 'string';
}

/** The result, or the text of the TickbusError. Every other error is a failure. */
function outcomeOf<T>(read: () => T): T | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof TickbusError) return error.message;
    throw error;
  }
}
