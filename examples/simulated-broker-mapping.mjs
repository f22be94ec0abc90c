// A mapping for the gateway's websocket feed: Alpaca's stream in JSON, as the simulated broker speaks it too.
//   FEED=websocket WEBSOCKET_URL=ws://127.0.0.1:8765/v2/iex WEBSOCKET_MAPPING=./examples/simulated-broker-mapping.mjs SYMBOLS=AAPL
// The functions are those of Mapping in services/price-gateway/mapping.ts, explained in docs/feeds.md.

const { BROKER_KEY = 'local-key', BROKER_SECRET = 'local-secret' } = process.env;

export const venue = 'iex';

/** Its `subscription` messages tell what it serves. */
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

/** Every frame is a list of messages; `T` says what each one is. */
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
      // A wrong key stays wrong; everything else is worth another try.
      return {
        kind: 'error',
        code: rest.code,
        reason: `The broker says ${rest.msg}.`,
        retryable: rest.code !== 402,
      };
  }
}
