// Maps Alpaca's JSON stream for the gateway's websocket feed. The simulated broker implements the same stream.
//   FEED=websocket WEBSOCKET_URL=ws://127.0.0.1:8765/v2/iex \
//   WEBSOCKET_MAPPING=./examples/simulated-broker-mapping.mjs SYMBOLS=AAPL npx tsx services/price-gateway/main.ts
// docs/feeds.md explains the functions; services/price-gateway/mapping.ts has their types.

const { BROKER_KEY = 'local-key', BROKER_SECRET = 'local-secret' } = process.env;

export const venue = 'iex';

/** The broker confirms subscriptions with `subscription` messages. */
export const acknowledges = true;

export function open() {
  return { action: 'auth', key: BROKER_KEY, secret: BROKER_SECRET };
}

export function subscribe(symbols) {
  return { action: 'subscribe', trades: symbols, quotes: symbols };
}

export function unsubscribe(symbols) {
  return { action: 'unsubscribe', trades: symbols, quotes: symbols };
}

/** Every frame is a list of messages; the field `T` is the type of a message. */
export function read(frame) {
  return frame.map(readMessage).filter((item) => item !== undefined);
}

function readMessage({ T, S: symbol, t, ...rest }) {
  const timestamp = Date.parse(t);
  switch (T) {
    case 't':
      return { kind: 'trade', symbol, price: rest.p, size: rest.s, timestamp };
    case 'q':
      return {
        kind: 'quote',
        symbol,
        bid: rest.bp,
        bid_size: rest.bs,
        ask: rest.ap,
        ask_size: rest.as,
        timestamp,
      };
    case 'subscription':
      return { kind: 'subscribed', symbols: rest.trades };
    case 'error':
      // Retries every error except a wrong key.
      return {
        kind: 'error',
        code: rest.code,
        reason: `The broker reported: ${rest.msg}.`,
        retryable: rest.code !== 402,
      };
  }
}
