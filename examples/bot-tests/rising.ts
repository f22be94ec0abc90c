// The bot of docs/testing-bots.md: buys after two rises in a row, and cancels when it cannot trust the price any more.

import { type BotOverrides, defineBot } from 'tickbus/bot';

export function risingBot(overrides: BotOverrides = {}) {
  let last = Number.POSITIVE_INFINITY;
  let rises = 0;
  const bot = defineBot({ name: 'rising', prices: ['AAPL'], maxAgeMs: 2_000, ...overrides }).onPrice(
    ({ symbol, price, fresh, send }) => {
      rises = price > last ? rises + 1 : 0;
      last = price;
      if (rises === 2 && fresh().ask !== undefined)
        send('place_order', { bot: 'paper-trader', symbol, side: 'buy', quantity: 1 });
    },
  );
  bot.subscriber.on('gap', ({ channel, repaired }) => {
    // The next price is no rise: those before it are missing.
    if (channel === bot.priceChannel.name && !repaired) rises = -1;
  });
  bot.subscriber.on('verdict', ({ was, verdict }) => {
    if (was === 'fresh' && verdict !== 'fresh') bot.send('cancel_all', { bot: 'paper-trader' });
  });
  return bot;
}
