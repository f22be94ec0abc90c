// Counts a recorded session from its raw frames, without any code of tickbus. Prints the trades and quotes as JSON, and
// a note about what the session cannot show.
// Usage: node count-recording.fixture.mjs FILE

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const [, , file = ''] = process.argv;
const frames = gunzipSync(readFileSync(file))
  .toString()
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))
  .filter(({ dir }) => dir === 'in')
  .map(({ frame }) => frame);

const trades = [];
const quotes = [];
for (const frame of frames) {
  const { type, data = {} } = frame;
  if (type === 'match' || type === 'last_match')
    trades.push([
      frame.product_id,
      String(frame.trade_id),
      Number(frame.price),
      Number(frame.size),
      Date.parse(frame.time),
    ]);
  else if (type === 'ticker') {
    const time = Date.parse(frame.time);
    quotes.push([frame.product_id, Number(frame.best_bid), Number(frame.best_ask), time]);
  } else if (data.e === 'aggTrade')
    trades.push([data.s, String(data.a), Number(data.p), Number(data.q), data.T]);
  else if (data.e === 'bookTicker') quotes.push([data.s, Number(data.b), Number(data.a), data.T]);
}

/** The events whose time is before that of an earlier event of the same instrument. */
function late(events) {
  const newest = new Map();
  return events.filter((event) => {
    const time = event.at(-1);
    const isLate = time < (newest.get(event[0]) ?? 0);
    if (!isLate) newest.set(event[0], time);
    return isLate;
  });
}

/** Types of frames that report neither a trade nor a quote nor a correction, at these venues. */
const OTHERS = ['l2update', 'snapshot', 'subscriptions', 'depthUpdate', 'kline'];
const COUNTED = ['match', 'last_match', 'ticker', 'aggTrade', 'bookTicker'];
const types = new Set(frames.map(({ type, data }) => data?.e ?? type));
const unknown = [...types].filter((type) => !OTHERS.includes(type) && !COUNTED.includes(type));
const note =
  unknown.length > 0
    ? `Not counted, because this script does not know them: frames of type ${unknown.join(', ')}.`
    : `No correction or cancel is in this session (types of frames: ${[...types].sort().join(', ')}), so it cannot show ` +
      'that these are published.';

console.log(
  JSON.stringify({ note, unknown, trades, quotes, lateTrades: late(trades), lateQuotes: late(quotes) }),
);
