// Coinbase Pro WebSocket frames: `ticker` is a quote, `match` and `last_match` are trades.

import type { UncheckedEvent } from '../event-rules.ts';
import type { JsonObject } from '../market-event.ts';
import { unixMsOf } from './venue-time.ts';

const READERS: ReadonlyMap<unknown, (frame: JsonObject) => UncheckedEvent> = new Map<
  unknown,
  (frame: JsonObject) => UncheckedEvent
>([
  ['ticker', readTicker],
  ['match', readMatch],
  ['last_match', readMatch],
]);

/** The event in a Coinbase frame, unchecked; undefined if it contains none. */
export function readCoinbaseFrame(frame: JsonObject): UncheckedEvent | undefined {
  return READERS.get(frame.type)?.(frame);
}

/**
 * A ticker repeats the last trade, which its own `match` frame has reported already, so only its best bid and ask are
 * used. Older recordings lack the sizes.
 */
function readTicker(frame: JsonObject): UncheckedEvent<'quote'> {
  return {
    kind: 'quote',
    symbol: frame.product_id,
    bid: frame.best_bid,
    bid_size: frame.best_bid_size ?? 0,
    ask: frame.best_ask,
    ask_size: frame.best_ask_size ?? 0,
    timestamp: unixMsOf(frame.time),
  };
}

/** `side` is that of the maker's order. Source: docs.cdp.coinbase.com, Exchange WebSocket channels, "Match". */
function readMatch(frame: JsonObject): UncheckedEvent<'trade'> {
  const taker_side = TAKER_SIDES.get(frame.side);
  return {
    kind: 'trade',
    symbol: frame.product_id,
    price: frame.price,
    size: frame.size,
    timestamp: unixMsOf(frame.time),
    ...(frame.trade_id !== undefined && { trade_id: frame.trade_id }),
    ...(taker_side !== undefined && { taker_side }),
  };
}

const TAKER_SIDES: ReadonlyMap<unknown, string> = new Map([
  ['buy', 'sell'],
  ['sell', 'buy'],
]);
