// Decodes the messages and batches of a channel. Templates decode similar messages fast.

import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from '../channel/limits.ts';
import {
  BATCH_START,
  checkedEnvelope,
  checkedHeader,
  decodeBatch,
  decodeEnvelope,
  type Envelope,
  invalidMessage,
  isWithinLimit,
  textOf,
} from './envelope.ts';
import { TemplateDecoder } from './template-decoder.ts';

/**
 * If more small documents than this, plus one in eight, match no template, parsing the whole batch at once is faster.
 */
const MAX_UNMATCHED = 2;
/** Unmatched documents of at least this size are always parsed one by one. At 1 KB that takes half the time. */
const LARGE_DOCUMENT_BYTES = 512;

const COMMA = 0x2c;
const BATCH_END = 0x5d;

/** The documents of a batch. `check` turns each one into an envelope. */
export interface DecodedBatch {
  readonly documents: readonly unknown[];
  /**
   * The end of each document in the frame: the offset of the comma or bracket after it. The first document begins at 1.
   * Undefined if the ends are unknown.
   */
  readonly ends: readonly number[] | undefined;
  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is a valid envelope within the limits */
  check(document: unknown): Envelope;
}

/** One instance for each channel. Every result is a new object that belongs to the caller. */
export class FrameDecoder {
  readonly #templates = new TemplateDecoder();

  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is a valid envelope within the limits */
  read(frame: Uint8Array): Envelope {
    if (frame.byteLength <= MAX_MESSAGE_BYTES) {
      const document = this.#templates.read(frame, 0);
      if (document !== undefined && isWhitespace(frame, this.#templates.end)) return checkedHeader(document);
    }
    const envelope = decodeEnvelope(frame);
    this.#templates.learn(envelope);
    return envelope;
  }

  /**
   * The documents of a batch; undefined if the frame is not a batch.
   *
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` if it is empty, too large, not valid JSON, or contains anything but
   * objects
   */
  readBatch(frame: Uint8Array): DecodedBatch | undefined {
    if (frame[0] !== BATCH_START) return undefined;
    return this.#readOneByOne(frame) ?? this.#readAtOnce(frame);
  }

  /**
   * @returns undefined if the whole batch must be parsed at once: many small documents match no template, whitespace
   * separates documents, or the batch is invalid or exceeds a size limit
   */
  #readOneByOne(frame: Uint8Array): DecodedBatch | undefined {
    if (frame.byteLength > MAX_FRAME_BYTES) return undefined;
    const documents: object[] = [];
    const ends: number[] = [];
    const unmatched = new Set<unknown>();
    let end = 0;
    do {
      const from = end + 1;
      let document = this.#templates.read(frame, from);
      end = document === undefined ? findObjectEnd(frame, from) : this.#templates.end;
      if (end < 0 || end - from > MAX_MESSAGE_BYTES) return undefined;
      if (document === undefined) {
        if (end - from < LARGE_DOCUMENT_BYTES && unmatched.size > MAX_UNMATCHED + documents.length / 8)
          return undefined;
        document = parseObject(frame.subarray(from, end));
        if (document === undefined) return undefined;
        unmatched.add(document);
      }
      documents.push(document);
      ends.push(end);
    } while (frame[end] === COMMA);
    if (frame[end] !== BATCH_END || end !== frame.byteLength - 1) return undefined;
    if (unmatched.size === 0) return { documents, ends, check: checkedHeader };
    const check = (document: unknown) =>
      unmatched.has(document) ? this.#checkUnmatched(document) : checkedHeader(document);
    return { documents, ends, check };
  }

  /**
   * For a batch that is invalid, has many unmatched documents, or has whitespace between documents.
   *
   * @throws like `readBatch`
   */
  #readAtOnce(frame: Uint8Array): DecodedBatch {
    const documents = decodeBatch(frame);
    const ends = findEnds(frame, documents.length);
    const isTooLarge = (document: unknown, index: number) =>
      ends === undefined ? !isWithinLimit(frame, document) : sizeAt(ends, index) > MAX_MESSAGE_BYTES;
    const tooLarge = new Set(documents.filter(isTooLarge));
    const check = (document: unknown) => {
      if (tooLarge.has(document)) throw invalidMessage(`exceeds the limit of ${MAX_MESSAGE_BYTES} bytes`);
      return this.#checkUnmatched(document);
    };
    return { documents, ends, check };
  }

  #checkUnmatched(document: unknown): Envelope {
    const envelope = checkedEnvelope(document);
    this.#templates.learn(envelope);
    return envelope;
  }
}

/** The ends of the documents of a valid batch; undefined if anything but a comma separates them. */
function findEnds(frame: Uint8Array, count: number): readonly number[] | undefined {
  const ends: number[] = [];
  let end = 0;
  do {
    end = findObjectEnd(frame, end + 1);
    if (end < 0) return undefined;
    ends.push(end);
  } while (frame[end] === COMMA);
  return ends.length === count ? ends : undefined;
}

function sizeAt(ends: readonly number[], index: number): number {
  return (ends[index] ?? 0) - (ends[index - 1] ?? 0) - 1;
}

/** Parses bytes that begin with `{`; undefined if they are not valid JSON. */
function parseObject(bytes: Uint8Array): object | undefined {
  try {
    return JSON.parse(textOf(bytes)) as object;
  } catch {
    return undefined;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The end of the object that begins at `from`, assuming valid JSON; -1 if there is none or it is unterminated. */
function findObjectEnd(bytes: Uint8Array, from: number): number {
  if (bytes[from] !== OPEN) return -1;
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN) {
      depth++;
    } else if (byte === CLOSE && --depth === 0) {
      return at + 1;
    }
  }
  return -1;
}

const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x0a, 0x0d, 0x09]);

/** Whether only JSON whitespace follows: some publishers append a line break. */
function isWhitespace(frame: Uint8Array, from: number): boolean {
  for (let at = from; at < frame.byteLength; at++) if (!WHITESPACE.has(frame[at])) return false;
  return true;
}
