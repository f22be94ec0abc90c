// Maps Coinbase Exchange for the gateway's websocket feed: best bid and ask from `ticker`, trades from `matches`.
//   FEED=websocket WEBSOCKET_URL=wss://ws-feed.exchange.coinbase.com \
//   WEBSOCKET_MAPPING=./examples/coinbase-mapping.mjs SYMBOLS=BTC-USD npx tsx services/price-gateway/main.ts
// docs/feeds.md explains the functions; services/price-gateway/mapping.ts has their types.

export const venue = 'coinbase';

/** Coinbase confirms subscriptions with `subscriptions` frames. */
export const acknowledges = true;

const CHANNELS = ['ticker', 'matches'];

/** One message per instrument: Coinbase rejects a whole message that contains an unknown instrument. */
export function subscribe(symbols) {
  return symbols.map((symbol) => ({ type: 'subscribe', product_ids: [symbol], channels: CHANNELS }));
}

export function unsubscribe(symbols) {
  return { type: 'unsubscribe', product_ids: symbols, channels: CHANNELS };
}

export function read(frame) {
  switch (frame.type) {
    case 'ticker':
      return {
        kind: 'quote',
        symbol: frame.product_id,
        bid: Number(frame.best_bid),
        bid_size: Number(frame.best_bid_size ?? 0),
        ask: Number(frame.best_ask),
        ask_size: Number(frame.best_ask_size ?? 0),
        timestamp: Date.parse(frame.time),
      };
    case 'match':
    case 'last_match':
      return {
        kind: 'trade',
        symbol: frame.product_id,
        price: Number(frame.price),
        size: Number(frame.size),
        timestamp: Date.parse(frame.time),
        trade_id: frame.trade_id,
        // `side` is that of the maker's order.
        taker_side: frame.side === 'sell' ? 'buy' : 'sell',
      };
    case 'subscriptions':
      return { kind: 'subscribed', symbols: subscribedSymbols(frame.channels) };
    case 'error':
      return readError(frame);
    // Any other type is unknown. A frame without an item counts as not understood, so that a change is noticed.
  }
}

/** Returns the instruments that are subscribed on both channels. */
function subscribedSymbols(channels) {
  const lists = CHANNELS.map((name) => channels.find((channel) => channel.name === name)?.product_ids ?? []);
  return lists[0].filter((symbol) => lists[1].includes(symbol));
}

/** @param frame.reason for example "ABC-DEF is not a valid product" */
function readError({ message, reason = message }) {
  const [, symbol] = /^(\S+) is not a valid product/.exec(reason) ?? [];
  if (symbol !== undefined)
    return { kind: 'refused', symbol, isUnknown: true, reason: `Coinbase: ${reason}.` };
  return { kind: 'error', reason: `Coinbase: ${reason}.` };
}
