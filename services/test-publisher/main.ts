// Test publisher: publishes one price per second until SIGTERM and prints each outcome.

import { setTimeout as sleep } from 'node:timers/promises';
import { shutDownGracefully } from '@tickbus/graceful-shutdown';
import { TickbusError } from 'tickbus';
import { CHANNELS, CONFIG } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';

const stopping = new AbortController();

let publisher: RedisPublisher | undefined;

shutDownGracefully({ deadlineMs: 5_000 }, async ({ err }) => {
  if (err) console.error(err.message);
  stopping.abort();
  await publisher?.close();
});

publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT, sender: 'test-publisher' });
for (let count = 1; !stopping.signal.aborted; count++) {
  const price = 50_000 + (count % 100);
  await publish(publisher, price);
  await sleep(1_000, undefined, { signal: stopping.signal }).catch(() => {});
}

/** While a price gateway holds the channel, every publish fails with TICKBUS_FENCED. */
async function publish(to: RedisPublisher, price: number): Promise<void> {
  try {
    const { position, receivers } = await to.publish(CHANNELS.PRICE_DATA, {
      symbol: 'AAPL',
      price,
      timestamp: Date.now(),
    });
    console.log(`Published price: ${price} for AAPL (seq ${position?.seq}, ${receivers} receivers)`);
  } catch (error) {
    if (!(error instanceof TickbusError && error.code === 'TICKBUS_FENCED')) throw error;
    console.log(`Not published: ${price} for AAPL. ${error.message}`);
  }
}
