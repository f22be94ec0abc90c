// Binance USD-M futures combined-stream frames: `bookTicker` is a quote, `aggTrade` is a trade.

import { type JsonObject, type MarketEvent, toQuote, toTrade } from '../market-event.ts';

const READERS: ReadonlyMap<unknown, (data: JsonObject) => MarketEvent | undefined> = new Map([
  ['bookTicker', readBookTicker],
  ['aggTrade', readAggTrade],
]);

/** The market event in a Binance frame (`{"stream": ..., "data": ...}`); undefined if it contains none. */
export function readBinanceFuturesFrame(frame: JsonObject): MarketEvent | undefined {
  const { stream, data } = frame;
  if (typeof stream !== 'string' || typeof data !== 'object' || data === null) return undefined;
  const fields = data as JsonObject;
  return READERS.get(fields.e)?.(fields);
}

function readBookTicker(data: JsonObject): MarketEvent | undefined {
  return toQuote({
    symbol: data.s,
    bid: data.b,
    bid_size: data.B,
    ask: data.a,
    ask_size: data.A,
    timestamp: data.T,
  });
}

function readAggTrade(data: JsonObject): MarketEvent | undefined {
  return toTrade({ symbol: data.s, price: data.p, size: data.q, timestamp: data.T });
}
