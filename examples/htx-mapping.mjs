// Maps HTX (formerly Huobi) spot for the gateway's websocket feed: best bid and ask from `bbo`, trades from
// `trade.detail`. HTX compresses every frame with gzip, and closes a connection that does not answer its pings.
//   FEED=websocket WEBSOCKET_URL=wss://api.huobi.pro/ws \
//   WEBSOCKET_MAPPING=./examples/htx-mapping.mjs SYMBOLS=btcusdt npx tsx services/price-gateway/main.ts
// docs/feeds.md explains the functions; services/price-gateway/mapping.ts has their types.

export const venue = 'htx';

/** HTX confirms each topic with a frame of its own. */
export const acknowledges = true;

const CHANNELS = ['bbo', 'trade.detail'];

/** The topics that HTX has confirmed on the current connection. */
const confirmed = new Set();

export function open() {
  confirmed.clear();
  return [];
}

/** `gunzip` stops at 1 MiB, so a frame that decompresses to gigabytes does no harm. */
export function decode(bytes, { gunzip }) {
  return gunzip(bytes);
}

/** The `id` comes back in the answer. It is the symbol, because an error does not name the topic. */
export function subscribe(symbols) {
  return topicsOf(symbols).map(([topic, id]) => ({ sub: topic, id }));
}

export function unsubscribe(symbols) {
  return topicsOf(symbols).map(([topic, id]) => {
    confirmed.delete(topic);
    return { unsub: topic, id };
  });
}

export function read(frame) {
  if (frame.ping !== undefined)
    return [{ kind: 'heartbeat' }, { kind: 'send', message: { pong: frame.ping } }];
  if (frame.subbed !== undefined) return readConfirmation(frame.subbed);
  if (frame.unsubbed !== undefined) return { kind: 'ignore' };
  if (frame.status === 'error') return readError(frame);
  const [, symbol, channel] = /^market\.([^.]+)\.(bbo|trade\.detail)$/.exec(frame.ch) ?? [];
  if (channel === 'bbo') return readQuote(symbol, frame.tick);
  if (channel === 'trade.detail') return frame.tick.data.map((trade) => readTrade(symbol, trade));
}

function readQuote(symbol, { bid, bidSize, ask, askSize, quoteTime }) {
  return { kind: 'quote', symbol, bid, bid_size: bidSize, ask, ask_size: askSize, timestamp: quoteTime };
}

/** `direction` is that of the taker. `id` is not used, because it is too large for a number. */
function readTrade(symbol, { price, amount, ts, tradeId, direction }) {
  return {
    kind: 'trade',
    symbol,
    price,
    size: amount,
    timestamp: ts,
    trade_id: tradeId,
    taker_side: direction,
  };
}

/** The item lists all instruments of which both topics are confirmed. */
function readConfirmation(topic) {
  confirmed.add(topic);
  const symbols = [...new Set([...confirmed].map((one) => one.split('.')[1]))];
  return {
    kind: 'subscribed',
    symbols: symbols.filter((symbol) => topicsOf([symbol]).every(([one]) => confirmed.has(one))),
  };
}

/** @param frame for example { id: 'abc', status: 'error', 'err-code': 'bad-request', 'err-msg': 'invalid symbol' } */
function readError({ id, 'err-code': code, 'err-msg': message }) {
  const reason = `HTX: ${message}.`;
  if (id === undefined || id === null) return { kind: 'error', code, reason };
  return { kind: 'refused', symbol: id, code, isUnknown: /invalid symbol/.test(message), reason };
}

/** Pairs of topic and symbol. */
function topicsOf(symbols) {
  return symbols.flatMap((symbol) => CHANNELS.map((channel) => [`market.${symbol}.${channel}`, symbol]));
}
