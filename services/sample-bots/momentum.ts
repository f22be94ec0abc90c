// A bot that follows the trend: buys what rises fast, sells what falls fast.

import { CHANNELS } from 'tickbus/constants';
import { type Bot, BotCore, type BotOptions, type PriceMessage, pricesOf } from './bot.ts';

export interface MomentumOptions extends BotOptions {
  /** The bot that executes the orders. Default `paper-trader`. */
  readonly executor?: string;
  /** How far back prices are compared, milliseconds by their own timestamps. Default 10,000. */
  readonly windowMs?: number;
  /** The move that triggers an order, as a part of the price. Default 0.002, a fifth of a percent. */
  readonly threshold?: number;
  /** Milliseconds, by the timestamps of prices, between two orders for one instrument. Default 30,000. */
  readonly cooldownMs?: number;
  /** Quantity of each order. Default 10. */
  readonly quantity?: number;
}

/**
 * Starts the bot; what it does depends on the messages alone.
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
    // A kept value begins a window, but it is no news to act upon.
    if (message.snapshot || bot.isPaused || Math.abs(move) < threshold) return;
    if (timestamp - (orderedAt.get(symbol) ?? Number.NEGATIVE_INFINITY) < cooldownMs) return;
    orderedAt.set(symbol, timestamp);
    bot.send('place_order', { bot: executor, symbol, side: move > 0 ? 'buy' : 'sell', quantity });
  };

  bot.listen(CHANNELS.PRICE_DATA, onPrice, pricesOf(options));
  bot.subscriber.on('status', (status) => {
    // Prices are missing: what is in the windows must not be compared with what comes next.
    if (status.type === 'gap' && status.channel === CHANNELS.PRICE_DATA.name && !status.repaired)
      windows.clear();
  });
  await bot.start();
  return bot;
}

/** The prices of one instrument in the last milliseconds. */
class PriceWindow {
  readonly #lengthMs: number;
  readonly #prices: { readonly price: number; readonly timestamp: number }[] = [];

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  /** Adds a price and gives the move from the oldest one to it, as a part of the oldest: 0.01 is one percent up. */
  add(price: number, timestamp: number): number {
    this.#prices.push({ price, timestamp });
    let oldest = this.#prices[0];
    while (oldest !== undefined && timestamp - oldest.timestamp > this.#lengthMs) {
      this.#prices.shift();
      oldest = this.#prices[0];
    }
    if (oldest === undefined || oldest.price === 0) return 0;
    return (price - oldest.price) / Math.abs(oldest.price);
  }
}
