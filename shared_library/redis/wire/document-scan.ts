// Finds where a JSON document ends, by its brackets and quotes, without parsing it.

import { MAX_DEPTH } from '../channel/limits.ts';

/** The separator of the documents of a batch. */
export const COMMA = 0x2c;
/** `]`. */
export const BATCH_END = 0x5d;

/**
 * A document that is nested deeper is rejected unparsed: JSON.parse takes almost a microsecond for each level. Other
 * documents over MAX_DEPTH are parsed, so that the error can name the path of the fault.
 */
const MAX_PARSED_DEPTH = 2 * MAX_DEPTH;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;

let scannedDepth = 0;

/**
 * The offset of the comma or closing bracket after the document that begins at `from`; the end of the frame if neither
 * follows. Any text that is balanced outside of its strings counts as a document.
 */
export function findDocumentEnd(frame: Uint8Array, from: number): number {
  let depth = 0;
  let deepest = 0;
  let at = from;
  for (; at < frame.length; at++) {
    const byte = frame[at];
    if (byte === QUOTE) {
      for (at++; at < frame.length && frame[at] !== QUOTE; at++) if (frame[at] === BACKSLASH) at++;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === CLOSE_OBJECT || byte === BATCH_END) {
      if (--depth < 0) break;
    } else if (byte === COMMA && depth === 0) {
      break;
    }
  }
  scannedDepth = deepest;
  return Math.min(at, frame.length);
}

/** Whether the document that `findDocumentEnd` read last is nested too deeply to be parsed. */
export function isTooDeepToParse(): boolean {
  return scannedDepth > MAX_PARSED_DEPTH;
}

const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x0a, 0x0d, 0x09]);

/** Whether only JSON whitespace follows: some publishers append a line break. */
export function isWhitespace(frame: Uint8Array, from: number): boolean {
  for (let at = from; at < frame.byteLength; at++) if (!WHITESPACE.has(frame[at])) return false;
  return true;
}

/**
 * The length of the text in UTF-16 units. Each character takes one unit; those of four bytes take two. Continuation
 * bytes (10xxxxxx) begin no character.
 */
export function utf16Length(bytes: Uint8Array): number {
  let units = 0;
  for (const byte of bytes) units += byte >= 0xf0 ? 2 : (byte & 0xc0) === 0x80 ? 0 : 1;
  return units;
}
