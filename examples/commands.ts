// Asks a bot to carry out commands. The answer is the result, or an error whose code says why there is none.

import type { PlaceOrder } from 'tickbus';
import { defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { AskError, RedisPublisher } from 'tickbus/publisher';

// An error prints what failed and what to do, without a stack trace.
process.on('uncaughtException', ({ message }) => {
  console.error(message);
  process.exit(1);
});

const { TRADE_COMMANDS } = CHANNELS;

await using bot = defineBot({ name: 'example-bot' }).onCommand('place_order', ({ data, sender }) => {
  console.log(`${sender} orders: ${data.side} ${data.quantity} ${data.symbol}`);
  return { outcome: 'done', detail: `${data.quantity} ${data.symbol} bought.` };
});
await bot.start();
await using desk = new RedisPublisher({ sender: 'desk' });

const order: PlaceOrder = { bot: 'example-bot', symbol: 'AAPL', side: 'buy', quantity: 10 };
const { outcome, detail } = await desk.ask(TRADE_COMMANDS, order, { timeoutMs: 2_000 });
console.log(`${outcome}: ${detail}`);

await desk.ask(TRADE_COMMANDS, { bot: 'example-bot', reason: 'lunch' }, { type: 'pause' });
try {
  await desk.ask(TRADE_COMMANDS, order);
} catch (error) {
  if (error instanceof AskError) console.log(`${error.code}: ${error.message}`);
}

// Prints:
// desk orders: buy 10 AAPL
// done: 10 AAPL bought.
// TICKBUS_REJECTED: example-bot rejected place_order and did nothing. example-bot is paused.
