// Coinbase Pro WebSocket frames: `ticker` is a quote, `match` and `last_match` are trades.

import { type JsonObject, type MarketEvent, toQuote, toTrade } from '../market-event.ts';

const READERS: ReadonlyMap<unknown, (frame: JsonObject) => MarketEvent | undefined> = new Map([
  ['ticker', readTicker],
  ['match', readMatch],
  ['last_match', readMatch],
]);

/** The market event in a Coinbase frame; undefined if it contains none. */
export function readCoinbaseFrame(frame: JsonObject): MarketEvent | undefined {
  return READERS.get(frame.type)?.(frame);
}

/**
 * A ticker repeats the last trade, which its own `match` frame has reported already, so only its best bid and ask are
 * used. Older recordings lack the sizes.
 */
function readTicker(frame: JsonObject): MarketEvent | undefined {
  return toQuote({
    symbol: frame.product_id,
    bid: frame.best_bid,
    bid_size: frame.best_bid_size ?? 0,
    ask: frame.best_ask,
    ask_size: frame.best_ask_size ?? 0,
    timestamp: Date.parse(String(frame.time)),
  });
}

function readMatch(frame: JsonObject): MarketEvent | undefined {
  return toTrade({
    symbol: frame.product_id,
    price: frame.price,
    size: frame.size,
    timestamp: Date.parse(String(frame.time)),
  });
}
