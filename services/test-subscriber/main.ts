// Test subscriber: prints every received price and every gap until SIGTERM.

import { shutDownGracefully } from '@tickbus/graceful-shutdown';
import { CHANNELS, CONFIG } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

let subscriber: RedisSubscriber | undefined;

shutDownGracefully({ deadlineMs: 5_000 }, async ({ err }) => {
  if (err) console.error(err.message);
  await subscriber?.close();
});

subscriber = new RedisSubscriber({ host: CONFIG.HOST, port: CONFIG.PORT });
subscriber.subscribe(CHANNELS.PRICE_DATA, (message) => {
  const suffix = message.snapshot ? ' (snapshot)' : '';
  console.log(
    `Received price: ${message.data.price} for ${message.data.symbol} from ${message.sender}${suffix}`,
  );
});
subscriber.on('gap', (gap) => console.log(`Missed: ${JSON.stringify(gap)}`));
await subscriber.startListening();
console.log(`Listening on ${CHANNELS.PRICE_DATA}`);

// A permanent failure, such as a rejected password, ends the process; its supervisor restarts it.
for await (const status of subscriber.statusChanges()) if (status.type === 'failed') throw status.error;
