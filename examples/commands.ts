// Sends a command to a bot, which executes it. The bot filters by type and name; each command has an id and expires.

import type { PlaceOrder } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

await using subscriber = new RedisSubscriber();
await using publisher = new RedisPublisher({ sender: 'desk' });

const executed = new Promise<void>((resolve) => {
  subscriber.subscribe(
    CHANNELS.TRADE_COMMANDS,
    ({ data, sender, id, expires_at, timestamp }) => {
      console.log(`${data.bot}: ${data.side} ${data.quantity} ${data.symbol}, sent by ${sender}`);
      console.log(`has an id: ${id !== undefined}, expires after ${(expires_at ?? 0) - timestamp} ms`);
      resolve();
    },
    { types: ['place_order'], keys: ['example-bot'] },
  );
});
await subscriber.startListening();

await publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'example-bot', reason: 'lunch' }, { type: 'pause' });
const order: PlaceOrder = { bot: 'example-bot', symbol: 'AAPL', side: 'buy', quantity: 10 };
const { receivers } = await publisher.publish(CHANNELS.TRADE_COMMANDS, order, {
  expiresInMs: 500,
});
console.log(`reached ${receivers} subscriber`);
await executed;

// Prints, if no other program subscribes to commands (the order of the first line varies):
// reached 1 subscriber
// example-bot: buy 10 AAPL, sent by desk
// has an id: true, expires after 500 ms
