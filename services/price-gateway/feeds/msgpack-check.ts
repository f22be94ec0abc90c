// Finds msgpack frames that would cost too much to decode: 50 bytes can announce arrays of gigabytes.

/** Maximum levels of nested arrays and maps. The frames of a broker have three. */
const MAX_DEPTH = 32;
/** Items that are still to come in each open array and map. Reused, because an allocation takes longer than a check. */
const left = new Uint32Array(MAX_DEPTH);

/**
 * Why a frame must not be decoded, as a phrase; undefined if it may be. The decoder allocates each array for the number
 * of items that its header announces. In a valid frame, all arrays and maps together have fewer items than the frame
 * has bytes. The check ignores other errors, because the decoder rejects such frames cheaply.
 */
export function findMsgpackBomb(frame: Uint8Array): string | undefined {
  let depth = 0;
  let announced = 0;
  for (let at = 0; at < frame.length; ) {
    const head = frame[at] as number;
    const items = itemsOf(frame, at, head);
    at += 1 + (FIXED_BYTES[head] as number) + variableBytes(frame, at, head);
    if (items > 0) {
      announced += items;
      if (announced >= frame.length) return 'it announces more items than it has bytes';
      if (depth === MAX_DEPTH) return `it nests more than ${MAX_DEPTH} levels`;
      left[depth++] = items;
      continue;
    }
    while (depth > 0) {
      const remaining = (left[depth - 1] as number) - 1;
      left[depth - 1] = remaining;
      if (remaining > 0) break;
      depth--;
    }
  }
  return undefined;
}

/** Bytes that follow the first byte of an item (`head`), by that byte; without those of `variableBytes`. */
const FIXED_BYTES = new Uint8Array(256);
for (let length = 0; length < 32; length++) FIXED_BYTES[0xa0 + length] = length;
// From 0xc0: nil, bin 8 to 32, ext 8 to 32, float, uint, int, fixext 1 to 16, str 8 to 32, array, map.
FIXED_BYTES.set(
  [0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4],
  0xc0,
);

/** The announced items of an array or a map, keys and values; 0 for anything else. */
function itemsOf(frame: Uint8Array, at: number, head: number): number {
  if (head < 0x80 || head > 0xdf) return 0;
  if (head <= 0x8f) return 2 * (head - 0x80);
  if (head <= 0x9f) return head - 0x90;
  switch (head) {
    case 0xdc:
      return uintAt(frame, at + 1, 2);
    case 0xdd:
      return uintAt(frame, at + 1, 4);
    case 0xde:
      return 2 * uintAt(frame, at + 1, 2);
    case 0xdf:
      return 2 * uintAt(frame, at + 1, 4);
    default:
      return 0;
  }
}

/** The length of a string, a binary or an extension whose length is in the frame; 0 for anything else. */
function variableBytes(frame: Uint8Array, at: number, head: number): number {
  switch (head) {
    case 0xc4:
    case 0xc7:
    case 0xd9:
      return uintAt(frame, at + 1, 1);
    case 0xc5:
    case 0xc8:
    case 0xda:
      return uintAt(frame, at + 1, 2);
    case 0xc6:
    case 0xc9:
    case 0xdb:
      return uintAt(frame, at + 1, 4);
    default:
      return 0;
  }
}

/** Bytes after the end of the frame count as 0. */
function uintAt(frame: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let index = at; index < at + bytes; index++) value = value * 256 + (frame[index] ?? 0);
  return value;
}
