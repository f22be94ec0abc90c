// Where a subscription begins: the option `from`, and its validation against the channel.

import type { Channel } from '../channel/channel.ts';
import { MAX_HISTORY } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { checkOptionNames, describe } from '../runtime/option-checks.ts';
import { printable } from '../runtime/printable.ts';
import type { Position } from '../wire/position.ts';

/**
 * Where a subscription begins. Stored messages come first, with `snapshot: true`, then live ones. None comes twice, and
 * none is left out. Messages that are no longer stored are reported as a gap, which carries the subscription's `name`.
 *
 * - `last`: the last stored messages of each of the `keys`; without `keys`, of the channel. A channel with partitions
 *   gives the last ones of each partition then. They are counted before `types` and `where`.
 * - `position`: after this message, as in `{ epoch: message.epoch, seq: message.seq }`. On a channel with several
 *   partitions it needs `keys` that are all in one of them.
 * - `positions`: after the given message of each key, with any number of partitions. It needs `keys`. A key without a
 *   position begins with its oldest stored message.
 * - `time`: what was published at this time or later, by the clock of the server. A number is in Unix milliseconds; one
 *   that looks like seconds, microseconds or nanoseconds is refused.
 */
export type From =
  | { readonly last: number }
  | { readonly position: Position }
  | { readonly positions: Readonly<Record<string, Position>> }
  | { readonly time: Date | number };

/** The same, checked. One field is set. */
export interface StartingPoint {
  readonly last?: number;
  readonly position?: Position;
  readonly positions?: ReadonlyMap<string, Position>;
  /** Server time, Unix milliseconds. */
  readonly time?: number;
}

/** The maximum number of stored messages that one subscription begins with. They are in memory until handled. */
export const MAX_STORED = 250_000;

const NAMES = { last: true, position: true, positions: true, time: true } as const;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedFrom(
  channel: Channel,
  from: From | undefined,
  keys: readonly string[] | undefined,
): StartingPoint | undefined {
  if (from === undefined) return undefined;
  checkOptionNames('from', from, NAMES);
  if (channel.kind !== 'event' || (channel.history === 0 && channel.historyPerKey === undefined))
    throw invalidFrom(
      `from does not apply to ${channel}: the server keeps past messages only of kind "event" with a history. ` +
        'Omit `from`, or define the channel with `history`.',
    );
  if (channel.history === 0 && keys === undefined)
    throw invalidFrom(
      `from needs \`keys\`: ${channel} has a history of each key, and none of the whole channel.`,
    );
  const { last, position, positions, time } = from as Partial<Record<keyof typeof NAMES, unknown>>;
  if ([last, position, positions, time].filter((value) => value !== undefined).length !== 1)
    throw invalidFrom(
      'from has not exactly one of `last`, `position`, `positions` and `time`. Use one of them.',
    );
  if (last !== undefined) return { last: checkedLast(last, keys) };
  if (position !== undefined) return { position: checkedPosition('from.position', position) };
  if (positions !== undefined) return { positions: checkedPositions(positions, keys) };
  return { time: checkedTime(time) };
}

function checkedLast(last: unknown, keys: readonly string[] | undefined): number {
  if (typeof last !== 'number' || !Number.isInteger(last) || last < 1 || last > MAX_HISTORY)
    throw invalidFrom(`from.last is ${shown(last)}. Use a number of messages from 1 to ${MAX_HISTORY}.`);
  const total = last * new Set(keys).size;
  if (total > MAX_STORED)
    throw invalidFrom(
      `from.last asks for ${total} messages, which is too many: the limit is ${MAX_STORED}. Use fewer messages or keys.`,
    );
  return last;
}

function checkedPositions(positions: unknown, keys: readonly string[] | undefined): Map<string, Position> {
  if (typeof positions !== 'object' || positions === null || Array.isArray(positions))
    throw invalidFrom(`from.positions is ${shown(positions)}. Use an object with a position for each key.`);
  if (keys === undefined)
    throw invalidFrom('from.positions needs `keys`: name the keys that the subscription receives.');
  const wanted = new Set(keys);
  const other = Object.keys(positions).find((key) => !wanted.has(key));
  if (other !== undefined)
    throw invalidFrom(
      `from.positions has "${printable(other, 128)}", which is not among \`keys\`, so nothing would resume after it. ` +
        'Add it to `keys`, or leave out its position.',
    );
  return new Map(
    Object.entries(positions).map(([key, position]) => [
      key,
      checkedPosition(`from.positions of "${printable(key, 128)}"`, position),
    ]),
  );
}

function checkedPosition(what: string, position: unknown): Position {
  const { epoch, seq } = (position ?? {}) as Partial<Record<keyof Position, unknown>>;
  if (isWhole(epoch) && isWhole(seq)) return { epoch, seq };
  throw invalidFrom(
    `${what} is ${shown(position)}, not a position. Use { epoch, seq } with the numbers of the last handled message.`,
  );
}

function checkedTime(time: unknown): number {
  const ms = time instanceof Date ? time.getTime() : time;
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw invalidFrom(`from.time is ${shown(time)}. Use a valid Date, or Unix milliseconds.`);
  const isSeconds = ms >= YEAR_2000_MS / 1_000 && ms < YEAR_2100_MS / 1_000;
  if (!isSeconds && ms < YEAR_2100_MS) return ms;
  const unit = isSeconds ? 'seconds, of which all stored messages are newer' : 'a unit below milliseconds';
  throw invalidFrom(`from.time is ${ms}, which looks like ${unit}. Use a Date, or Unix milliseconds.`);
}

const YEAR_2000_MS = 946_684_800_000;
const YEAR_2100_MS = 4_102_444_800_000;

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : describe(value);
}

function invalidFrom(message: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', message, { field: 'from' });
}
