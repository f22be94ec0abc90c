// Alpaca's market data stream v2: every frame is an array of messages; `T` is the type of each.
// Source: docs.alpaca.markets, "Real-time Stock Data" and "Real-time Crypto Data".

import type { UncheckedEvent } from '../event-rules.ts';
import type { JsonObject } from '../market-event.ts';
import { exclusionsOf } from './alpaca-conditions.ts';
import { readAlpacaStatus } from './alpaca-status.ts';
import { unixMsOf } from './venue-time.ts';

/**
 * The event in one message of an Alpaca frame, unchecked; undefined if it contains none. Values may also be those of
 * msgpack: big integers, and timestamps as objects.
 */
export function readAlpacaMessage(message: JsonObject): UncheckedEvent | undefined {
  return READERS.get(message.T)?.(message);
}

const READERS: ReadonlyMap<unknown, (message: JsonObject) => UncheckedEvent | undefined> = new Map([
  ['t', readTrade],
  ['q', readQuote],
  ['c', readCorrection],
  ['x', readCancel],
  ['s', readAlpacaStatus],
  ['l', readBand],
]);

function readTrade({ S, i, x, p, s, c, t, z, tks }: JsonObject): UncheckedEvent<'trade'> {
  return {
    kind: 'trade',
    symbol: S,
    price: numberOf(p),
    size: numberOf(s),
    timestamp: unixMsOf(t),
    ...details(i, x, c, z),
    ...(TAKER_SIDES.has(tks) && { taker_side: TAKER_SIDES.get(tks) }),
  };
}

function readQuote({ S, bp, bs, ap, as, t }: JsonObject): UncheckedEvent<'quote'> {
  return {
    kind: 'quote',
    symbol: S,
    bid: numberOf(bp),
    bid_size: numberOf(bs),
    ask: numberOf(ap),
    ask_size: numberOf(as),
    timestamp: unixMsOf(t),
  };
}

function readCorrection({
  S,
  x,
  oi,
  op,
  os,
  ci,
  cp,
  cs,
  cc,
  t,
  z,
}: JsonObject): UncheckedEvent<'correction'> {
  return {
    kind: 'correction',
    symbol: S,
    original: { ...idOf(oi, x), price: numberOf(op), size: numberOf(os) },
    corrected: { price: numberOf(cp), size: numberOf(cs), ...details(ci, x, cc, z) },
    timestamp: unixMsOf(t),
  };
}

function readCancel({ S, i, x, p, s, a, t }: JsonObject): UncheckedEvent<'cancel'> {
  return {
    kind: 'cancel',
    symbol: S,
    original: { ...idOf(i, x), price: numberOf(p), size: numberOf(s) },
    ...(REASONS.has(a) && { reason: REASONS.get(a) }),
    timestamp: unixMsOf(t),
  };
}

const TAKER_SIDES: ReadonlyMap<unknown, string> = new Map([
  ['B', 'buy'],
  ['S', 'sell'],
]);
const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['C', 'cancel'],
  ['E', 'error'],
]);

/**
 * Indicators of tape C for a band that is not in force: D (suspended during a halt), F (outside the hours of the rule).
 * Source: UTP Data Feed Services Specification, "LULD Price Band Message".
 */
const NO_BAND: ReadonlySet<unknown> = new Set(['D', 'F']);
/**
 * Indicators of the tapes A and B that are about no band: the best bid or offer has reached or left a limit. Their
 * limits are 0. Source: public transcriptions of the CTS Pillar Multicast Output Binary Specification, "Limit Up Limit
 * Down".
 */
const LIMIT_STATE: ReadonlySet<unknown> = new Set(['C', 'D', 'E', 'F', 'G', 'H', 'I', 'J']);

function readBand({ S, u, d, i, t, z }: JsonObject): UncheckedEvent<'band'> | undefined {
  if ((z === 'A' || z === 'B') && LIMIT_STATE.has(i)) return undefined;
  const limits = NO_BAND.has(i) ? {} : { ...limit('limit_down', d), ...limit('limit_up', u) };
  return { kind: 'band', symbol: S, ...limits, timestamp: unixMsOf(t) };
}

/** A price of 0 means that there is no limit. */
function limit(name: string, price: unknown): object {
  const value = numberOf(price);
  return value === 0 || value === undefined ? {} : { [name]: value };
}

function details(id: unknown, exchange: unknown, conditions: unknown, tape: unknown): object {
  const excluded_from = exclusionsOf(conditions, tape);
  return {
    ...idOf(id, exchange),
    ...(conditions !== undefined && conditions !== null && { conditions }),
    ...(excluded_from !== undefined && { excluded_from }),
  };
}

/**
 * The exchange and its identifier, such as `V-96921`: two exchanges can use the same number. An integer that JSON has
 * rounded stays a number, so that the check refuses it.
 */
function idOf(id: unknown, exchange: unknown): object {
  if (id === undefined || id === null) return {};
  const isExact = typeof id === 'bigint' || typeof id === 'string' || Number.isSafeInteger(id);
  if (!isExact || typeof exchange !== 'string') return { trade_id: isExact ? String(id) : id };
  return { trade_id: `${exchange}-${id}` };
}

/** A 64-bit integer of msgpack as a number, unless that would round it. */
function numberOf(value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
