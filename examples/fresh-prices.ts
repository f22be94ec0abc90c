// A bot that acts on fresh prices only and gets an event when it must stop. The example publishes in place of a
// gateway; on a Redis with an active gateway its first publish fails with TICKBUS_FENCED.

import { StaleDataError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

await using gateway = new RedisPublisher();
const status = { feed: 'example', last_frame_ago_ms: 0, live_for_ms: 60_000, interval_ms: 200 };
const heartbeat = () => gateway.publish(CHANNELS.FEED_STATUS, { ...status, state: 'live' });
await gateway.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 187.42, timestamp: Date.now() });
const timer = setInterval(heartbeat, 200);
await heartbeat();

await using bot = new RedisSubscriber();
bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'], maxAgeMs: 60_000 });
bot.on('verdict', ({ key, verdict }) => {
  if (verdict === 'fresh') console.log(`${key}: trade`);
  if (verdict === 'gateway_down') console.log(`${key}: stop, ${verdict}`);
});
const isFresh = verdictIs('fresh');
await bot.startListening();
await isFresh;
const { data } = bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs: 60_000 });
console.log(`at ${data.price}`);

clearInterval(timer);
await verdictIs('gateway_down');
try {
  bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs: 60_000 });
} catch (error) {
  if (error instanceof StaleDataError) console.log(`${error.code}: ${error.verdict}`);
}

/** A real bot reacts in its listener; the example waits for it. */
function verdictIs(expected: string): Promise<void> {
  return new Promise((resolve) => bot.on('verdict', ({ verdict }) => verdict === expected && resolve()));
}

// Prints:
// AAPL: trade
// at 187.42
// AAPL: stop, gateway_down
// TICKBUS_STALE_DATA: gateway_down
