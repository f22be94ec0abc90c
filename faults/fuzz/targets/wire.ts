// Fuzz targets of the wire format: the fast decoder must agree with JSON.parse and the checks.

import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { TickbusError } from 'tickbus';
import {
  checkedEnvelope,
  decodeBatch,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
} from '../../../shared_library/redis/wire/envelope.ts';
import { FrameDecoder } from '../../../shared_library/redis/wire/frame-decoder.ts';
import { envelopes } from '../corpus.ts';
import { mutated } from '../mutations.ts';
import { defineTarget, timed } from '../target.ts';

/** A frame is often repeated, so that the decoder learns templates from it and then meets them with other values. */
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

/** What the decoder accepts, the encoder writes unchanged or refuses. */
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

/** Without fields that the encoder leaves out, and as JSON writes them: -0 is 0. */
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
      const expected = timed('decodeBatch', () => expectedBatch(bytes));
      let ends: readonly number[] | undefined;
      const actual = timed('FrameDecoder.readBatch', () =>
        outcomeOf(() => {
          const batch = decoder.readBatch(bytes);
          ends = batch?.ends;
          return batch?.documents.map((document) => outcomeOf(() => batch.check(document)));
        }),
      );
      deepStrictEqual(actual, expected, 'The fast decoder and JSON.parse disagree about a batch.');
      if (ends !== undefined && typeof actual !== 'string') checkEnds(bytes, ends, actual?.length ?? 0);
    }
  },
});

function expectedBatch(bytes: Buffer): readonly (Envelope | string)[] | string {
  return outcomeOf(() => decodeBatch(bytes).map((document) => outcomeOf(() => checkedEnvelope(document))));
}

/** Each document stands between two ends. */
function checkEnds(bytes: Buffer, ends: readonly number[], count: number): void {
  deepStrictEqual(ends.length, count, 'Each document has an end.');
  for (const [index, end] of ends.entries())
    JSON.parse(String(bytes.subarray((ends[index - 1] ?? 0) + 1, end)));
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
