// Load process of the benchmark: publishes prices of many instruments at a constant rate, and the gateway's heartbeat.
//   tsx load.ts RATE INSTRUMENTS, with REDIS_URL; prints "publishing", and on SIGTERM its publish rate

import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';

const TICK_MS = 10;
/** Maximum publishes in flight. On a slow machine, further messages are dropped, which lowers the final rate. */
const MAX_IN_FLIGHT = 5_000;
const [rate, instruments] = process.argv.slice(2).map(Number) as [number, number];
const publisher = new RedisPublisher({ sender: 'price-gateway' });
const prices = Array.from({ length: instruments }, (_, index) => 10_000 + index * 37);
let sent = 0;
let published = 0;
let failed = 0;
let inFlight = 0;

await publisher.connect();
process.stdout.write('publishing\n');
const began = performance.now();
setInterval(() => {
  const due = Math.floor(((performance.now() - began) * rate) / 1_000);
  for (; sent < due; sent++) if (inFlight < MAX_IN_FLIGHT) publish(sent % instruments);
}, TICK_MS);
setInterval(() => {
  publisher.publish(CHANNELS.FEED_STATUS, { feed: 'load', state: 'live', instruments }).catch(() => failed++);
}, 1_000);
process.once('SIGTERM', () => {
  const seconds = (performance.now() - began) / 1_000;
  process.stdout.write(`${JSON.stringify({ perSecond: Math.round(published / seconds), failed })}\n`);
  process.exit(0);
});

function publish(index: number): void {
  const cents = (prices[index] ?? 0) + Math.round(Math.random() * 4 - 2);
  prices[index] = cents;
  inFlight++;
  publisher
    .publish(CHANNELS.PRICE_DATA, {
      symbol: `SYM${String(index).padStart(3, '0')}`,
      price: cents / 100,
      bid: (cents - 1) / 100,
      ask: (cents + 1) / 100,
      bid_size: 3,
      ask_size: 5,
      venue: 'load',
      source: 'trade',
      timestamp: Date.now(),
    })
    .then(
      () => published++,
      () => failed++,
    )
    .finally(() => inFlight--);
}
