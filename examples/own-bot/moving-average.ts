// A bot of one's own: buys above the average of the last 20 prices. main.ts runs it; docs/bots.md explains it.

import { type BotOverrides, defineBot } from 'tickbus/bot';
import { z } from 'zod';

export function movingAverage(overrides: BotOverrides = {}) {
  const prices: number[] = [];
  let quantity = 10;
  return defineBot({ name: 'average', uniqueName: true, prices: ['AAPL'], ...overrides })
    .onPrice(({ symbol, price, fresh, send }) => {
      if (prices.push(price) > 20) prices.shift();
      const average = prices.reduce((sum, each) => sum + each, 0) / prices.length;
      if (fresh().price > average)
        send('place_order', { bot: 'paper-trader', symbol, side: 'buy', quantity });
    })
    .onCommand('set_size', z.object({ size: z.number().positive() }), ({ data }) => {
      quantity = data.size;
      return { outcome: 'done' };
    });
}
