// Copies prices to another Redis while a desk moves there: docs/scaling.md. Ends at Ctrl-C or SIGTERM.
//   REDIS_URL=redis://old TO_URL=redis+cluster://new SYMBOLS=AAPL,MSFT npx tsx examples/bridge.ts

import { once } from 'node:events';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

const { TO_URL, SYMBOLS = '' } = process.env;
if (!TO_URL) throw new Error('TO_URL is not set. Set it to the address of the new Redis.');
const keys = SYMBOLS.split(',').filter(Boolean);

await using target = new RedisConnection({ url: TO_URL });
// The place of the gateway: no gateway is active there while the bridge runs.
const lease = new RedisLease({ connection: target, channel: CHANNELS.PRICE_DATA });
const publisher = new RedisPublisher({ connection: target, lease, sender: 'bridge' });
await using subscriber = new RedisSubscriber();

// A copy gets a new timestamp, so only a price that is fresh on the old server is copied.
const copyPrice = (symbol: string) => {
  const { data } = subscriber.requireFresh(CHANNELS.PRICE_DATA, symbol, { maxAgeMs: 1_000 });
  return publisher.publish(CHANNELS.PRICE_DATA, data);
};
subscriber.subscribe(
  CHANNELS.PRICE_DATA,
  ({ data, snapshot }) => !snapshot && lease.holds && attempt(() => copyPrice(data.symbol)),
  keys.length > 0 ? { keys } : {},
);
// The status channels carry those of all venues, and the bridge copies one.
const isAboutPrices = ({ channel = CHANNELS.PRICE_DATA.name }: { channel?: string | undefined }) =>
  channel === CHANNELS.PRICE_DATA.name;
// Subscribers believe only the heartbeats of the holder of the lease.
subscriber.subscribe(CHANNELS.FEED_STATUS, ({ data, snapshot }) => {
  const { token } = lease;
  if (!snapshot && token !== undefined && isAboutPrices(data))
    attempt(() => publisher.publish(CHANNELS.FEED_STATUS, { ...data, lease: token }));
});
subscriber.subscribe(
  CHANNELS.INSTRUMENT_STATUS,
  ({ data }) => isAboutPrices(data) && attempt(() => publisher.publish(CHANNELS.INSTRUMENT_STATUS, data)),
);
lease.on('gained', () => console.log('The bridge copies prices.'));
lease.on('lost', ({ reason }) => console.log(`The bridge lost the lease: ${reason}.`));

await subscriber.startListening();
await lease.start();
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await lease.close();

/** What cannot be copied is left out: the bots there see a price that grows old, or no heartbeat. */
function attempt(copy: () => Promise<unknown>): void {
  const report = (error: unknown) => console.error(error instanceof Error ? error.message : error);
  try {
    copy().catch(report);
  } catch (error) {
    report(error);
  }
}
