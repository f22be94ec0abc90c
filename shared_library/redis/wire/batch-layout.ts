// The documents of a batch, found without parsing it, and the limits of a batch.

import { MAX_FRAME_BYTES, MAX_FRAME_MESSAGES, MAX_FRAME_UNITS } from '../channel/limits.ts';
import {
  BATCH_END,
  COMMA,
  findDocumentEnd,
  isTooDeepToParse,
  isWhitespace,
  utf16Length,
} from './document-scan.ts';
import { invalidMessage } from './envelope.ts';

/** The documents of a batch. Document `index` is the text between the bytes at `ends[index - 1]` and `ends[index]`. */
export interface BatchLayout {
  /** The offset of the comma or bracket after each document. The first document begins at 1. */
  readonly ends: readonly number[];
  /** The indexes of documents that are nested too deeply to be parsed. */
  readonly tooDeep: ReadonlySet<number>;
}

/** @throws TickbusError `TICKBUS_INVALID_MESSAGE` if the frame is not one array, is empty, or has too many documents */
export function scanBatch(frame: Uint8Array): BatchLayout {
  const ends: number[] = [];
  const tooDeep = new Set<number>();
  let end = 0;
  do {
    if (ends.length === MAX_FRAME_MESSAGES) throw tooManyMessages();
    end = findDocumentEnd(frame, end + 1);
    if (isTooDeepToParse()) tooDeep.add(ends.length);
    ends.push(end);
  } while (frame[end] === COMMA);
  if (frame[end] !== BATCH_END) throw invalidMessage('is not valid JSON: its array is not closed');
  if (!isWhitespace(frame, end + 1)) throw invalidMessage('is not valid JSON: text follows its array');
  if (ends.length === 1 && isWhitespace(frame.subarray(0, end), 1)) throw invalidMessage('is an empty array');
  return { ends, tooDeep };
}

/** @throws TickbusError `TICKBUS_INVALID_MESSAGE` for a frame that is larger than any batch of a publisher */
export function checkFrameSize(frame: Uint8Array): void {
  const { byteLength } = frame;
  if (byteLength <= MAX_FRAME_UNITS) return;
  if (byteLength > MAX_FRAME_BYTES)
    throw invalidMessage(`is a batch of ${byteLength} bytes; the limit is ${MAX_FRAME_BYTES}`);
  const units = utf16Length(frame);
  if (units > MAX_FRAME_UNITS)
    throw invalidMessage(`is a batch of ${units} UTF-16 units; the limit is ${MAX_FRAME_UNITS}`);
}

export function tooManyMessages(): Error {
  return invalidMessage(`is a batch of more than ${MAX_FRAME_MESSAGES} messages, so none is delivered`);
}
