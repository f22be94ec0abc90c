// The plan's test subscriber: prints every price it receives, and every loss, until SIGTERM.

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
  const kept = message.snapshot ? ' (the last one before I came)' : '';
  console.log(
    `Received price: ${message.data.price} for ${message.data.symbol} from ${message.sender}${kept}`,
  );
});
subscriber.on('gap', (gap) => console.log(`Missed: ${JSON.stringify(gap)}`));
await subscriber.startListening();
console.log(`Listening on ${CHANNELS.PRICE_DATA}`);

// Redis does not let it in any more. Whoever supervises it starts it anew, perhaps with another password.
for await (const status of subscriber.statusChanges()) if (status.type === 'failed') throw status.error;
