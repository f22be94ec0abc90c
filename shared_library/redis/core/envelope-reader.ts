// Reads what a channel carries, messages and batches of them; most of its messages are alike, and those are read fast.

import {
  BATCH_START,
  checkedEnvelope,
  checkedHeader,
  decodeBatch,
  type Envelope,
  envelopeFrom,
  invalidMessage,
  isWithinLimit,
  textOf,
} from './envelope.ts';
import { FamiliarDocuments } from './familiar-documents.ts';
import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from './limits.ts';

const COMMA = 0x2c;
const BATCH_END = 0x5d;

/** The documents of a batch, to be checked one by one. */
export interface Batch {
  readonly documents: readonly unknown[];
  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits */
  check(document: unknown): Envelope;
}

/** Each channel has its own. What it gives out is made anew for each message and belongs to the caller. */
export class EnvelopeReader {
  readonly #familiar = new FamiliarDocuments();
  #text: string | undefined;

  /** The text of the message that was read last; undefined where it was read without one. */
  get text(): string | undefined {
    return this.#text;
  }

  /** @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits */
  read(frame: Uint8Array): Envelope {
    this.#text = undefined;
    if (frame.byteLength <= MAX_MESSAGE_BYTES) {
      const document = this.#familiar.read(frame, 0);
      if (document !== undefined && isBlank(frame, this.#familiar.end)) return checkedHeader(document);
    }
    const text = textOf(frame);
    const envelope = envelopeFrom(text);
    this.#familiar.learn(envelope);
    this.#text = text;
    return envelope;
  }

  /**
   * The documents of a batch; undefined: the frame is not a batch.
   *
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for an array that is no batch: empty, too large, not of objects, or no JSON.
   */
  readBatch(frame: Uint8Array): Batch | undefined {
    if (frame[0] !== BATCH_START) return undefined;
    const familiar: object[] = [];
    if (this.#readFamiliar(frame, familiar)) return { documents: familiar, check: checkedHeader };
    const documents = decodeBatch(frame);
    const stranger = documents[familiar.length];
    return {
      documents,
      check: (document) => {
        if (!isWithinLimit(frame, document)) throw invalidMessage('is larger than a message may be');
        const envelope = checkedEnvelope(document);
        if (document === stranger) this.#familiar.learn(envelope);
        return envelope;
      },
    };
  }

  /** @returns false when a document is not familiar, or something is too large; those before it are in `documents` */
  #readFamiliar(frame: Uint8Array, documents: object[]): boolean {
    if (frame.byteLength > MAX_FRAME_BYTES) return false;
    for (let at = 1; ; at++) {
      const document = this.#familiar.read(frame, at);
      if (document === undefined) return false;
      const { end } = this.#familiar;
      if (end - at > MAX_MESSAGE_BYTES) return false;
      documents.push(document);
      if (frame[end] === BATCH_END) return end === frame.byteLength - 1;
      if (frame[end] !== COMMA) return false;
      at = end;
    }
  }
}

const BLANKS: ReadonlySet<number | undefined> = new Set([0x20, 0x0a, 0x0d, 0x09]);

/** Nothing, or what JSON takes for nothing, as some publishers end a text with a line break. */
function isBlank(frame: Uint8Array, from: number): boolean {
  for (let at = from; at < frame.byteLength; at++) if (!BLANKS.has(frame[at])) return false;
  return true;
}
