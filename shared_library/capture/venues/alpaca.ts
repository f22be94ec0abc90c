// Alpaca's market data stream v2: every frame is an array of messages; `t` is a trade, `q` is a quote.

import { type JsonObject, type MarketEvent, toQuote, toTrade } from '../market-event.ts';

/** The market event in one message of an Alpaca frame; undefined if it contains none. */
export function readAlpacaMessage(message: JsonObject): MarketEvent | undefined {
  const { T, S: symbol } = message;
  const timestamp = Date.parse(String(message.t));
  if (T === 't') return toTrade({ symbol, price: message.p, size: message.s, timestamp });
  if (T !== 'q') return undefined;
  return toQuote({
    symbol,
    bid: message.bp,
    bid_size: message.bs,
    ask: message.ap,
    ask_size: message.as,
    timestamp,
  });
}
