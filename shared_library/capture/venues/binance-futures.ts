// Binance USD-M futures combined-stream frames: `bookTicker` is a quote, `aggTrade` is a trade.

import { type MarketEvent, toQuote, toTrade } from '../market-event.ts';

type Data = Readonly<Record<string, unknown>>;

const READERS: ReadonlyMap<unknown, (data: Data) => MarketEvent | undefined> = new Map([
  ['bookTicker', readBookTicker],
  ['aggTrade', readAggTrade],
]);

/** The market event in a Binance frame (`{"stream": ..., "data": ...}`), or undefined when it holds none. */
export function readBinanceFuturesFrame(frame: Data): MarketEvent | undefined {
  const { stream, data } = frame;
  if (typeof stream !== 'string' || typeof data !== 'object' || data === null) return undefined;
  const fields = data as Data;
  return READERS.get(fields.e)?.(fields);
}

function readBookTicker(data: Data): MarketEvent | undefined {
  return toQuote({
    symbol: data.s,
    bid: data.b,
    bid_size: data.B,
    ask: data.a,
    ask_size: data.A,
    timestamp: data.T,
  });
}

function readAggTrade(data: Data): MarketEvent | undefined {
  return toTrade({ symbol: data.s, price: data.p, size: data.q, timestamp: data.T });
}
