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

/** Every frame is a list of messages; the field `T` is the type of a message. Those of an unknown type have no item. */
export function read(frame) {
  return frame.map(readMessage).filter((item) => item !== undefined);
}

function readMessage(message) {
  // Do not use `{ T, ...rest } = message`: if `message` is a text of 1 MB, that copies every character.
  const { T, S: symbol, t } = message;
  const timestamp = Date.parse(t);
  switch (T) {
    case 't':
      return {
        kind: 'trade',
        symbol,
        price: message.p,
        size: message.s,
        timestamp,
        trade_id: message.i,
        conditions: message.c,
      };
    case 'c':
      return {
        kind: 'correction',
        symbol,
        original: { trade_id: message.oi, price: message.op, size: message.os },
        corrected: { trade_id: message.ci, price: message.cp, size: message.cs, conditions: message.cc },
        timestamp,
      };
    case 'x':
      return {
        kind: 'cancel',
        symbol,
        original: { trade_id: message.i, price: message.p, size: message.s },
        reason: message.a === 'E' ? 'error' : 'cancel',
        timestamp,
      };
    case 'q':
      return {
        kind: 'quote',
        symbol,
        bid: message.bp,
        bid_size: message.bs,
        ask: message.ap,
        ask_size: message.as,
        timestamp,
      };
    case 'success':
      return { kind: 'ignore' };
    case 'subscription':
      return { kind: 'subscribed', symbols: message.trades };
    case 'error':
      // The gateway retries after every error except a wrong key.
      return {
        kind: 'error',
        code: message.code,
        reason: `The broker reported: ${message.msg}.`,
        retryable: message.code !== 402,
      };
  }
}
