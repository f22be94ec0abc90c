// First step of the receive path: turns the frames of one channel into envelopes and reports the invalid ones.

import { decodeEnvelope, type Envelope } from '../wire/envelope.ts';
import { type DecodedBatch, FrameDecoder } from '../wire/frame-decoder.ts';
import { recordSize } from '../wire/message-size.ts';

/** Reports a message that is not delivered because it is invalid. */
export type OnInvalid = (error: unknown, message: Uint8Array | Envelope) => void;

/** Each channel has its own decoder, because the frame decoder learns the layout of the channel's messages. */
export class Decoder {
  readonly #frames = new FrameDecoder();
  readonly #onInvalid: OnInvalid;
  #received = 0;
  /** The envelope that `onMessage` is processing, and its place in the frame. Undefined if the place is unknown. */
  #current: Envelope | undefined;
  #frame: Uint8Array | undefined;
  #from = 0;
  #to = 0;

  constructor(onInvalid: OnInvalid) {
    this.#onInvalid = onInvalid;
  }

  /** Messages received, invalid ones included. An invalid batch counts as one message. */
  get received(): number {
    return this.#received;
  }

  /** Calls `onMessage` with each valid message of a frame, which holds one message or a batch. */
  decode(frame: Uint8Array, onMessage: (message: Envelope) => void): void {
    let batch: DecodedBatch | undefined;
    try {
      batch = this.#frames.readBatch(frame);
    } catch (error) {
      this.#received++;
      return this.#onInvalid(error, frame);
    }
    if (batch === undefined) this.#decodeMessage(frame, onMessage);
    else this.#decodeBatch(frame, batch, onMessage);
    // A frame is part of a larger chunk of the socket: a reference to it would keep the whole chunk in memory.
    this.#frame = undefined;
    this.#current = undefined;
  }

  /** The bytes of the envelope that `onMessage` is processing, valid until it returns; undefined for any other. */
  bytesOf(message: object): Uint8Array | undefined {
    const frame = this.#frame;
    if (frame === undefined || message !== this.#current) return undefined;
    return this.#to - this.#from === frame.length ? frame : frame.subarray(this.#from, this.#to);
  }

  /**
   * Decodes a copy of what `bytesOf` returned.
   *
   * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for bytes that are not a valid envelope
   */
  read(bytes: Uint8Array): Envelope {
    return this.#frames.read(bytes);
  }

  #decodeMessage(frame: Uint8Array, onMessage: (message: Envelope) => void): void {
    this.#received++;
    let message: Envelope;
    try {
      message = this.#frames.read(frame);
    } catch (error) {
      return this.#onInvalid(error, frame);
    }
    this.#setCurrent(message, frame, 0, frame.length);
    onMessage(message);
  }

  #decodeBatch(frame: Uint8Array, batch: DecodedBatch, onMessage: (message: Envelope) => void): void {
    const { documents, ends } = batch;
    let from = 1;
    for (let index = 0; index < documents.length; index++) {
      const document = documents[index];
      const to = ends[index] ?? frame.length;
      this.#received++;
      const message = this.#checked(batch, document, frame, from, to);
      if (message !== undefined) {
        this.#setCurrent(message, frame, from, to);
        onMessage(message);
      }
      from = to + 1;
    }
  }

  #checked(batch: DecodedBatch, document: unknown, frame: Uint8Array, from: number, to: number) {
    try {
      return batch.check(document);
    } catch (error) {
      this.#onInvalid(error, frame.subarray(from, to));
      return undefined;
    }
  }

  #setCurrent(message: Envelope, frame: Uint8Array, from: number, to: number): void {
    recordSize(message, to - from);
    this.#current = message;
    this.#frame = frame;
    this.#from = from;
    this.#to = to;
  }
}

/**
 * Decodes the kept messages of a recovery. They arrive all at once, too soon for a frame decoder to learn from them.
 */
export function decodeKept(entries: readonly Uint8Array[], onInvalid: OnInvalid): Envelope[] {
  const kept: Envelope[] = [];
  for (const entry of entries) {
    try {
      const message = decodeEnvelope(entry);
      recordSize(message, entry.byteLength);
      kept.push(message);
    } catch (error) {
      onInvalid(error, entry);
    }
  }
  return kept;
}
