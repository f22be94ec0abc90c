// Decodes the messages and batches of a channel. Templates decode similar messages fast.

import { MAX_FRAME_MESSAGES, MAX_MESSAGE_BYTES } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { type BatchLayout, checkFrameSize, scanBatch, tooManyMessages } from './batch-layout.ts';
import { BATCH_END, COMMA, findDocumentEnd, isTooDeepToParse, isWhitespace } from './document-scan.ts';
import {
  BATCH_START,
  checkedEnvelope,
  checkedHeader,
  decodeEnvelope,
  decodeUtf8,
  type Envelope,
  invalidMessage,
  parse,
  TOO_DEEP,
} from './envelope.ts';
import { TemplateDecoder } from './template-decoder.ts';

/**
 * If more small documents than this, plus one in eight, match no template, parsing the whole batch at once is faster.
 */
const MAX_UNMATCHED = 2;
/** Unmatched documents of at least this size are always parsed one by one. At 1 KB that takes half the time. */
const LARGE_DOCUMENT_BYTES = 512;

/** The documents of a batch. `check` turns each one into an envelope. An invalid one does not affect the others. */
export interface DecodedBatch {
  /** A document that could not be parsed is the TickbusError that `check` throws for it. */
  readonly documents: readonly unknown[];
  /**
   * The end of each document in the frame: the offset of the comma or bracket after it. The first document begins at 1.
   */
  readonly ends: readonly number[];
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
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` if it is empty, has too many messages, is too large, or is not one
   * array
   */
  readBatch(frame: Uint8Array): DecodedBatch | undefined {
    if (frame[0] !== BATCH_START) return undefined;
    checkFrameSize(frame);
    return this.#readOneByOne(frame) ?? this.#readAtOnce(frame);
  }

  /**
   * @returns undefined if the whole batch must be parsed at once: many small documents match no template, whitespace
   * separates documents, or a document is invalid or exceeds a limit
   */
  #readOneByOne(frame: Uint8Array): DecodedBatch | undefined {
    const documents: object[] = [];
    const ends: number[] = [];
    const unmatched = new Set<unknown>();
    let end = 0;
    do {
      if (documents.length === MAX_FRAME_MESSAGES) throw tooManyMessages();
      const from = end + 1;
      let document = this.#templates.read(frame, from);
      end = document === undefined ? findDocumentEnd(frame, from) : this.#templates.end;
      if (end - from > MAX_MESSAGE_BYTES) return undefined;
      if (document === undefined) {
        if (end - from < LARGE_DOCUMENT_BYTES && unmatched.size > MAX_UNMATCHED + documents.length / 8)
          return undefined;
        document = isTooDeepToParse() ? undefined : parseObject(frame.subarray(from, end));
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
   * Reads a batch with an invalid document, many unmatched documents, or whitespace between documents.
   *
   * @throws like `readBatch`
   */
  #readAtOnce(frame: Uint8Array): DecodedBatch {
    const layout = scanBatch(frame);
    const documents = parseAll(frame, layout) ?? parseEach(frame, layout);
    const check = (document: unknown) => {
      if (document instanceof TickbusError) throw document;
      return this.#checkUnmatched(document);
    };
    return { documents, ends: layout.ends, check };
  }

  #checkUnmatched(document: unknown): Envelope {
    const envelope = checkedEnvelope(document);
    this.#templates.learn(envelope);
    return envelope;
  }
}

/** All documents, parsed in one call; undefined if one of them is invalid or exceeds a limit. */
function parseAll(frame: Uint8Array, { ends, tooDeep }: BatchLayout): readonly unknown[] | undefined {
  if (tooDeep.size > 0 || ends.some((_, index) => sizeAt(ends, index) > MAX_MESSAGE_BYTES)) return undefined;
  try {
    return JSON.parse(decodeUtf8(frame)) as readonly unknown[];
  } catch {
    return undefined;
  }
}

/** Each document, or the error for it. */
function parseEach(frame: Uint8Array, { ends, tooDeep }: BatchLayout): readonly unknown[] {
  return ends.map((end, index) => {
    const size = sizeAt(ends, index);
    if (size > MAX_MESSAGE_BYTES)
      return invalidMessage(`has ${size} bytes, which exceeds the limit of ${MAX_MESSAGE_BYTES} bytes`);
    if (tooDeep.has(index)) return invalidMessage(TOO_DEEP);
    try {
      return parse(decodeUtf8(frame.subarray(end - size, end)));
    } catch (error) {
      return error;
    }
  });
}

function sizeAt(ends: readonly number[], index: number): number {
  return (ends[index] ?? 0) - (ends[index - 1] ?? 0) - 1;
}

/** Parses the text of a document; undefined if it is not a valid object. */
function parseObject(bytes: Uint8Array): object | undefined {
  try {
    const document: unknown = JSON.parse(decodeUtf8(bytes));
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? document
      : undefined;
  } catch {
    return undefined;
  }
}
