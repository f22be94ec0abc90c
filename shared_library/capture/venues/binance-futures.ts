// Binance USD-M futures combined-stream frames: `bookTicker` is a quote, `aggTrade` is a trade.

import type { UncheckedEvent } from '../event-rules.ts';
import type { JsonObject } from '../market-event.ts';

const READERS: ReadonlyMap<unknown, (data: JsonObject) => UncheckedEvent> = new Map<
  unknown,
  (data: JsonObject) => UncheckedEvent
>([
  ['bookTicker', readBookTicker],
  ['aggTrade', readAggTrade],
]);

/** The event in a Binance frame (`{"stream": ..., "data": ...}`), unchecked; undefined if it contains none. */
export function readBinanceFuturesFrame(frame: JsonObject): UncheckedEvent | undefined {
  const { stream, data } = frame;
  if (typeof stream !== 'string' || typeof data !== 'object' || data === null) return undefined;
  const fields = data as JsonObject;
  return READERS.get(fields.e)?.(fields);
}

function readBookTicker(data: JsonObject): UncheckedEvent<'quote'> {
  return {
    kind: 'quote',
    symbol: data.s,
    bid: data.b,
    bid_size: data.B,
    ask: data.a,
    ask_size: data.A,
    timestamp: data.T,
  };
}

/**
 * Trades of one order at one price; `a` numbers them. `m`: the buyer is the maker. Source: developers.binance.com,
 * "Aggregate Trade Streams".
 */
function readAggTrade(data: JsonObject): UncheckedEvent<'trade'> {
  return {
    kind: 'trade',
    symbol: data.s,
    price: data.p,
    size: data.q,
    timestamp: data.T,
    ...(data.a !== undefined && { trade_id: data.a }),
    ...(typeof data.m === 'boolean' && { taker_side: data.m ? 'sell' : 'buy' }),
  };
}
