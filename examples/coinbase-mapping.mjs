// A mapping for the gateway's websocket feed: Coinbase Exchange, best bid and ask of `ticker`, trades of `matches`.
//   FEED=websocket WEBSOCKET_URL=wss://ws-feed.exchange.coinbase.com WEBSOCKET_MAPPING=./examples/coinbase-mapping.mjs SYMBOLS=BTC-USD
// The functions are those of Mapping in services/price-gateway/mapping.ts, explained in docs/feeds.md.

export const venue = 'coinbase';

/** Its `subscriptions` frames tell what it serves. */
export const acknowledges = true;

const CHANNELS = ['ticker', 'matches'];

/** A message for each instrument, because Coinbase refuses a message with an unknown one in it as a whole. */
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
      };
    case 'subscriptions':
      return { kind: 'subscribed', symbols: servedIn(frame.channels) };
    case 'error':
      return refusalIn(frame);
  }
}

/** The instruments of which both channels are served. */
function servedIn(channels) {
  const lists = CHANNELS.map((name) => channels.find((one) => one.name === name)?.product_ids ?? []);
  return lists[0].filter((symbol) => lists[1].includes(symbol));
}

/** `reason` is such as "ABC-DEF is not a valid product". */
function refusalIn({ message, reason = message }) {
  const [, symbol] = /^(\S+) is not a valid product/.exec(reason) ?? [];
  if (symbol !== undefined)
    return { kind: 'refused', symbol, isUnknown: true, reason: `Coinbase: ${reason}.` };
  return { kind: 'error', reason: `Coinbase: ${reason}.` };
}
