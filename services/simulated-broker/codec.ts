// The two encodings of the stream: JSON in text frames, msgpack in binary frames.

import { decode, encode } from '@msgpack/msgpack';
import type { ServerMessage } from './alpaca-protocol.ts';

/** The encoding of one connection. The client selects it with its `Content-Type` header. */
export interface Codec {
  /** Encodes one frame; frames are always arrays. */
  encode(messages: readonly ServerMessage[]): string | Uint8Array;
}

/** The codec for a client's `Content-Type` header; JSON if there is no header. */
export function codecFor(contentType: string | undefined): Codec {
  return contentType?.startsWith('application/msgpack') ? MSGPACK : JSON_TEXT;
}

/** Decodes a client's frame: text is JSON, binary is msgpack. Undefined if it is invalid. */
export function decodeFrame(frame: Buffer, isBinary: boolean): unknown {
  try {
    return isBinary ? decode(frame) : JSON.parse(frame.toString());
  } catch {
    return undefined;
  }
}

const JSON_TEXT: Codec = { encode: (messages) => JSON.stringify(messages) };

const MSGPACK: Codec = { encode: (messages) => encode(messages) };
