// A bot that executes orders on paper: at the latest price it has seen, at once or not at all.

import type { BotStatus, MessageOf, PlaceOrder } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { type Bot, BotCore, type BotOptions, type BotStats, pricesOf } from './bot.ts';

export interface PaperTraderStats extends BotStats {
  /** Orders that were executed. */
  readonly executed: number;
  /** Orders that were not: no price yet, a limit not met, or the bot is paused. */
  readonly rejected: number;
  /** Commands that came again and were left alone. */
  readonly repeated: number;
}

/**
 * Starts the bot; what it does depends on the messages alone. Orders never rest, so there is nothing to cancel. Its status
 * tells position by symbol, and pnl: what the positions are worth now, and what was paid and earned for them.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`
 */
export async function startPaperTrader(options: BotOptions = {}): Promise<Bot<PaperTraderStats>> {
  const account = new Account();
  const bot = new BotCore('paper-trader', options, () => account.report());
  const stats = Object.assign(bot.stats, { executed: 0, rejected: 0, repeated: 0 });
  const seen = new RecentIds();

  const onOrder = ({ id, data }: MessageOf<typeof CHANNELS.TRADE_COMMANDS, 'place_order'>) => {
    stats.commandsReceived++;
    // Remembered before it is executed: a command that comes again is never executed again, whatever became of the first.
    if (id !== undefined && !seen.add(id)) return stats.repeated++;
    if (bot.isPaused || !account.execute(data)) return stats.rejected++;
    bot.tellStatus();
    return stats.executed++;
  };

  bot.listen(
    CHANNELS.PRICE_DATA,
    (message) => {
      options.onPrice?.(message);
      account.prices.set(message.data.symbol, message.data.price);
    },
    pricesOf(options),
  );
  bot.listen(CHANNELS.TRADE_COMMANDS, onOrder, {
    types: ['place_order'],
    keys: [bot.name],
  });
  await bot.start();
  return { name: bot.name, subscriber: bot.subscriber, stats, stop: () => bot.stop() };
}

class Account {
  /** The latest price of each instrument. */
  readonly prices = new Map<string, number>();
  readonly #positions = new Map<string, number>();
  /** Earned by selling, less what was paid for buying. */
  #cash = 0;

  /** False when there is no price, or none that the limit allows. */
  execute({ symbol, side, quantity, limit_price }: PlaceOrder): boolean {
    const price = this.prices.get(symbol);
    if (price === undefined) return false;
    const direction = side === 'buy' ? 1 : -1;
    if (limit_price !== undefined && direction * (price - limit_price) > 0) return false;
    this.#positions.set(symbol, (this.#positions.get(symbol) ?? 0) + direction * quantity);
    this.#cash -= direction * quantity * price;
    return true;
  }

  report(): Required<Pick<BotStatus, 'position' | 'pnl'>> {
    const held = [...this.#positions];
    const worth = held.reduce(
      (sum, [symbol, quantity]) => sum + quantity * (this.prices.get(symbol) ?? 0),
      0,
    );
    return { position: Object.fromEntries(held), pnl: Math.round((this.#cash + worth) * 100) / 100 };
  }
}

/** More ids than can be on their way at a time; older ones have expired long since. */
const MAX_IDS = 10_000;

class RecentIds {
  readonly #ids = new Set<string>();

  /** False when it is there already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > MAX_IDS && oldest !== undefined) this.#ids.delete(oldest);
    return true;
  }
}
