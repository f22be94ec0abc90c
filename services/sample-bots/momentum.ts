// A trend-following bot: buys instruments that rise fast, sells those that fall fast.

import { type Bot, BotCore, type BotOptions, type PriceMessage, priceChannelOf, pricesOf } from './bot.ts';

export interface MomentumOptions extends BotOptions {
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
}

/**
 * Starts the bot. It is deterministic: its orders depend on the received messages only.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`
 */
export async function startMomentumBot(options: MomentumOptions = {}): Promise<Bot> {
  const { executor = 'paper-trader', windowMs = 10_000, threshold = 0.002 } = options;
  const { cooldownMs = 30_000, quantity = 10 } = options;
  const bot = new BotCore('momentum', options);
  const windows = new Map<string, PriceWindow>();
  const orderedAt = new Map<string, number>();

  const onPrice = (message: PriceMessage) => {
    options.onPrice?.(message);
    const { symbol, price, timestamp } = message.data;
    const window = windows.get(symbol) ?? new PriceWindow(windowMs);
    windows.set(symbol, window);
    const move = window.add(price, timestamp);
    // A snapshot starts the window but does not trigger an order: it may be old.
    if (message.snapshot || bot.isPaused || Math.abs(move) < threshold) return;
    if (timestamp - (orderedAt.get(symbol) ?? Number.NEGATIVE_INFINITY) < cooldownMs) return;
    orderedAt.set(symbol, timestamp);
    bot.send('place_order', { bot: executor, symbol, side: move > 0 ? 'buy' : 'sell', quantity });
  };

  const channel = priceChannelOf(options);
  bot.subscribe(channel, onPrice, pricesOf(options));
  bot.subscriber.on('status', (status) => {
    // After lost messages, the prices in the windows must not be compared with later prices.
    if (status.type === 'gap' && status.channel === channel.name && !status.repaired) windows.clear();
  });
  await bot.start();
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
