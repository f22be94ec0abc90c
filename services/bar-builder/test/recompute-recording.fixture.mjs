// Computes the bars of a recorded session from its raw frames, without any code of tickbus. Prints them as JSON.
// Usage: node recompute-recording.fixture.mjs FILE

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const LENGTHS_MS = { '1s': 1_000, '5s': 5_000, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 };

const [, , file = ''] = process.argv;
const trades = gunzipSync(readFileSync(file))
  .toString()
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))
  .filter(({ dir }) => dir === 'in')
  .flatMap(({ frame }) => {
    if (frame.type === 'match' || frame.type === 'last_match')
      return [[frame.product_id, Date.parse(frame.time), Number(frame.price), Number(frame.size)]];
    const { data = {} } = frame;
    return data.e === 'aggTrade' ? [[data.s, data.T, Number(data.p), Number(data.q)]] : [];
  })
  .map(([symbol, time, price, size], order) => ({ symbol, time, price, size, order }))
  .sort((a, b) => a.time - b.time || a.order - b.order);

const bars = {};
for (const { symbol, time, price, size } of trades) {
  for (const [interval, length] of Object.entries(LENGTHS_MS)) {
    const start = Math.floor(time / length) * length;
    const key = `${symbol}/${interval}/${start}`;
    bars[key] ??= { open: price, high: price, low: price, close: price, volume: 0, trades: 0, turnover: 0 };
    const bar = bars[key];
    bar.high = Math.max(bar.high, price);
    bar.low = Math.min(bar.low, price);
    bar.close = price;
    bar.volume += size;
    bar.trades += 1;
    bar.turnover += price * size;
  }
}
console.log(JSON.stringify(bars));
