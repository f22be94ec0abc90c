// The two encodings of the stream: JSON in text frames, msgpack in binary frames.

import { decode, encode } from '@msgpack/msgpack';
import type { ServerMessage } from './alpaca-protocol.ts';

/** How the messages of one connection are written; a client chooses with its `Content-Type` header. */
export interface Codec {
  /** One frame; the broker always sends arrays. */
  encode(messages: readonly ServerMessage[]): string | Uint8Array;
}

/** The codec a client asks for. Without a `Content-Type` header it is JSON. */
export function codecFor(contentType: string | undefined): Codec {
  return contentType?.startsWith('application/msgpack') ? MSGPACK : JSON_TEXT;
}

/** Reads a client's frame: text is JSON, binary is msgpack. Undefined when it is neither. */
export function decodeFrame(frame: Buffer, isBinary: boolean): unknown {
  try {
    return isBinary ? decode(frame) : JSON.parse(frame.toString());
  } catch {
    return undefined;
  }
}

const JSON_TEXT: Codec = { encode: (messages) => JSON.stringify(messages) };

const MSGPACK: Codec = { encode: (messages) => encode(messages) };
