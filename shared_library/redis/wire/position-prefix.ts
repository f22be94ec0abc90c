// The position prefix: the three fields that tickbus inserts before those of the envelope. Only this file defines its
// format.

import type { Position } from './position.ts';

const SEQ = '{"seq":';
const EPOCH = ',"epoch":';
const AT = ',"at":';

/**
 * The text of a message on the wire.
 *
 * @param json the JSON of the envelope, an object with at least one member
 * @param at the server's time of publication, Unix milliseconds
 */
export function positioned(json: string, { epoch, seq }: Position, at: number): string {
  return `${SEQ}${seq}${EPOCH}${epoch}${AT}${at},${json.slice(1)}`;
}

/** The texts of a batch. The first message gets the position `first`. */
export function positionedAll(
  batch: readonly { readonly json: string }[],
  first: Position,
  at: number,
): string[] {
  const rest = `${EPOCH}${first.epoch}${AT}${at},`;
  return batch.map(({ json }, index) => SEQ + (first.seq + index) + rest + json.slice(1));
}

/** Lua function `positioned(json, epoch, seq, at)`: `epoch` and `at` are strings, `seq` is a number. */
export const LUA_POSITIONED = `
local function positioned(json, epoch, seq, at)
  return string.format('${SEQ}%.0f${EPOCH}%s${AT}%s,', seq, epoch, at) .. string.sub(json, 2)
end
`;

/** A Lua pattern that captures the sequence and the epoch of a positioned message. */
export const LUA_POSITION_PATTERN = `^${SEQ}(%d+)${EPOCH}(%d+)`;
