// Reads what a channel carries, messages and batches of them; most of its messages are alike, and those are read fast.

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

/** More than these, and one in eight, are parsed sooner together with all others of their batch than one by one. */
const MAX_UNMATCHED = 2;
/** Bytes from which on a stranger is parsed by itself whatever its company: with 1 KB together takes twice as long. */
const LARGE_DOCUMENT_BYTES = 512;

const COMMA = 0x2c;
const BATCH_END = 0x5d;

/** The documents of a batch, to be checked one by one. */
export interface DecodedBatch {
  readonly documents: readonly unknown[];
  /** Where each document ends in the frame, where a comma or the bracket stands; the first one begins at 1. Undefined: not known. */
  readonly ends: readonly number[] | undefined;
  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits */
  check(document: unknown): Envelope;
}

/** Each channel has its own. What it gives out is made anew for each message and belongs to the caller. */
export class FrameDecoder {
  readonly #templates = new TemplateDecoder();

  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits */
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
   * The documents of a batch; undefined: the frame is not a batch.
   *
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for an array that is no batch: empty, too large, not of objects, or no JSON.
   */
  readBatch(frame: Uint8Array): DecodedBatch | undefined {
    if (frame[0] !== BATCH_START) return undefined;
    return this.#readOneByOne(frame) ?? this.#readAtOnce(frame);
  }

  /**
   * @returns undefined for anything but valid JSON of objects, each within the limit, with nothing but a comma between them; and where
   * there are many small strangers
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

  /** A batch of strangers, or one that is written in another way than ours, or none. @throws as `readBatch` */
  #readAtOnce(frame: Uint8Array): DecodedBatch {
    const documents = decodeBatch(frame);
    const ends = findEnds(frame, documents.length);
    const isTooLarge = (document: unknown, index: number) =>
      ends === undefined ? !isWithinLimit(frame, document) : sizeAt(ends, index) > MAX_MESSAGE_BYTES;
    const tooLarge = new Set(documents.filter(isTooLarge));
    const check = (document: unknown) => {
      if (tooLarge.has(document)) throw invalidMessage('is larger than a message may be');
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

/** Where the documents of a valid batch end; undefined: something else than a comma stands between them. */
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

/** Of bytes that begin as an object does; undefined: they are not valid JSON. */
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

/** Where the object ends that begins at `from`, if it is valid JSON, which is not looked at; -1: none begins there, or it has no end. */
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

/** Nothing, or what JSON takes for nothing, as some publishers end a text with a line break. */
function isWhitespace(frame: Uint8Array, from: number): boolean {
  for (let at = from; at < frame.byteLength; at++) if (!WHITESPACE.has(frame[at])) return false;
  return true;
}
