// Decodes the raw frames of a venue with the function of a mapping, within limits.

import { gunzipSync, inflateRawSync, inflateSync, type ZlibOptions } from 'node:zlib';
import type { FrameTools, Mapping } from '../mapping.ts';
import { BROKER_LIMITS } from './broker-socket.ts';
import { TurnCounter } from './turn-counter.ts';

/** The venue sent more than the gateway decodes. The session must end, because more such frames would follow. */
export class DecodeLimitError extends Error {}

/** The limit of a message applies before and after decompression. */
const MAX_DECODED_BYTES = BROKER_LIMITS.maxMessageBytes;
/** Bytes to decompress in one turn of the event loop, in about 0.1 s. Real frames inflate 64 KiB to less than 1 MiB. */
const MAX_INFLATED_PER_TURN = 4 * MAX_DECODED_BYTES;

type Inflate = (bytes: Uint8Array, options: ZlibOptions) => Buffer;

export class MappedFrameDecoder {
  readonly #decode: NonNullable<Mapping['decode']>;
  readonly #inflatedBytes = new TurnCounter();
  readonly #textTools: FrameTools;
  readonly #binaryTools: FrameTools;
  /** Set for good by the first frame that exceeds a limit. */
  #overLimit: DecodeLimitError | undefined;

  constructor(decode: NonNullable<Mapping['decode']>) {
    this.#decode = decode;
    const tools = {
      gunzip: (bytes: Uint8Array) => this.#inflate(gunzipSync, bytes),
      inflate: (bytes: Uint8Array) => this.#inflate(inflateSync, bytes),
      inflateRaw: (bytes: Uint8Array) => this.#inflate(inflateRawSync, bytes),
    };
    this.#textTools = { ...tools, isBinary: false };
    this.#binaryTools = { ...tools, isBinary: true };
  }

  /**
   * The text of the frame as a string, another value, or undefined for a frame to ignore.
   *
   * @throws DecodeLimitError if the frame exceeds a limit, even if the mapping catches that error; otherwise the error
   *   of the mapping
   */
  decode(bytes: Uint8Array, isBinary: boolean): unknown {
    let content: unknown;
    try {
      const decoded = this.#decode(bytes, isBinary ? this.#binaryTools : this.#textTools);
      content = decoded instanceof Uint8Array ? textOf(decoded) : decoded;
    } finally {
      this.#throwIfOverLimit();
    }
    if (typeof content === 'string' && content.length > MAX_DECODED_BYTES) throw tooLarge();
    return content;
  }

  /** Stops at the limit, so that the rest of a decompression bomb costs nothing. */
  #inflate(inflate: Inflate, bytes: Uint8Array): Uint8Array {
    this.#throwIfOverLimit();
    try {
      const content = inflate(bytes, { maxOutputLength: MAX_DECODED_BYTES });
      if (this.#inflatedBytes.add(content.length) > MAX_INFLATED_PER_TURN) {
        const limit = mib(MAX_INFLATED_PER_TURN);
        this.#overLimit = new DecodeLimitError(
          `Frames that arrived at once decompress to more than ${limit}.`,
        );
      }
      return content;
    } catch (error) {
      if (isOverLimit(error)) this.#overLimit = tooLarge();
      throw (
        this.#overLimit ??
        new Error('the content is corrupt, or compressed in another format', { cause: error })
      );
    }
  }

  #throwIfOverLimit(): void {
    if (this.#overLimit !== undefined) throw this.#overLimit;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function isOverLimit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function tooLarge(): DecodeLimitError {
  return new DecodeLimitError(
    `A frame decodes to more than ${mib(MAX_DECODED_BYTES)}, like a decompression bomb.`,
  );
}

function mib(bytes: number): string {
  return `${bytes / 2 ** 20} MiB`;
}
