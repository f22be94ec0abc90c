// Sending a command to a bot, and the bot obeying: filtered by type and bot, each command with an id and a time to live.

import type { PlaceOrder } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';

await using subscriber = new RedisSubscriber();
await using publisher = new RedisPublisher({ sender: 'desk' });

const obeyed = new Promise<void>((resolve) => {
  subscriber.subscribe(
    CHANNELS.TRADE_COMMANDS,
    ({ data, sender, id, expires_at, timestamp }) => {
      console.log(`${data.bot}: ${data.side} ${data.quantity} ${data.symbol}, says ${sender}`);
      console.log(`it has an id: ${id !== undefined}, and is good for ${(expires_at ?? 0) - timestamp} ms`);
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
await obeyed;

// Prints, where nobody else listens to commands, the first line anywhere among the others:
// reached 1 subscriber
// example-bot: buy 10 AAPL, says desk
// it has an id: true, and is good for 500 ms
