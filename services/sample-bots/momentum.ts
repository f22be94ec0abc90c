// A trend-following bot: buys instruments that rise fast, sells those that fall fast.

import { type Bot, type BotOverrides, defineBot } from 'tickbus/bot';

export type MomentumOptions = BotOverrides & {
  /** The bot that executes the orders. Default `paper-trader`. */
  readonly executor?: string;
  /** Comparison window in milliseconds, by price timestamps. Default 10,000. */
  readonly windowMs?: number;
  /** Relative price change that triggers an order. Default 0.002 (0.2 %). */
  readonly threshold?: number;
  /** Minimum milliseconds between two orders for one instrument, by price timestamps. Default 30,000. */
  readonly cooldownMs?: number;
  /** Quantity of each order. Default 10. */
  readonly quantity?: number;
};

/** The bot is deterministic: its orders depend on the received messages only. */
export function momentumBot(all: MomentumOptions = {}): Bot {
  const { executor = 'paper-trader', windowMs = 10_000, threshold = 0.002, ...others } = all;
  const { cooldownMs = 30_000, quantity = 10, ...options } = others;
  const windows = new Map<string, PriceWindow>();
  const orderedAt = new Map<string, number>();

  const bot: Bot = defineBot({ name: 'momentum', ...options }).onPrice(
    ({ symbol, price, message, isPaused, send }) => {
      const { timestamp, cause } = message.data;
      // A price after a halt is compared with no price before it.
      const { verdict } = bot.subscriber.latest(bot.priceChannel, symbol);
      if (verdict === 'halted' || verdict === 'no_price') return void windows.delete(symbol);
      // The prices before it contain a trade that the venue has taken back.
      if (cause === 'correction') windows.delete(symbol);
      const window = windows.get(symbol) ?? new PriceWindow(windowMs);
      windows.set(symbol, window);
      const move = window.add(price, timestamp);
      // A snapshot starts the window but does not trigger an order: it may be old.
      if (message.snapshot || isPaused || Math.abs(move) < threshold) return;
      if (timestamp - (orderedAt.get(symbol) ?? Number.NEGATIVE_INFINITY) < cooldownMs) return;
      orderedAt.set(symbol, timestamp);
      send('place_order', { bot: executor, symbol, side: move > 0 ? 'buy' : 'sell', quantity });
    },
  );
  bot.subscriber.on('gap', ({ channel, repaired }) => {
    // After lost messages, the prices in the windows must not be compared with later prices.
    if (channel === bot.priceChannel.name && !repaired) windows.clear();
  });
  return bot;
}

/** The recent prices of one instrument. */
class PriceWindow {
  readonly #windowMs: number;
  readonly #prices: { readonly price: number; readonly timestamp: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Adds a price and returns the relative change since the oldest price: 0.01 is one percent up. */
  add(price: number, timestamp: number): number {
    this.#prices.push({ price, timestamp });
    let oldest = this.#prices[0];
    while (oldest !== undefined && timestamp - oldest.timestamp > this.#windowMs) {
      this.#prices.shift();
      oldest = this.#prices[0];
    }
    if (oldest === undefined || oldest.price === 0) return 0;
    return (price - oldest.price) / Math.abs(oldest.price);
  }
}
