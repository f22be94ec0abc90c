// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { CHANNELS, CONFIG } from 'tickbus/constants';

const subscriber = new RedisSubscriber({ host: CONFIG.HOST, port: CONFIG.PORT });
subscriber.subscribe(CHANNELS.PRICE_DATA, (message) => {
  console.log(`Received price: ${message.data.price} for ${message.data.symbol}`);
});
await subscriber.startListening();

const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 50000.0, timestamp: 1650123456 });

// Prints, and keeps listening:
// Received price: 50000 for AAPL
