// A bot that executes orders on paper: at the latest price it has seen, at once or not at all.

import type { BotStatus, PlaceOrder } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { type Bot, BotCore, type BotOptions, type BotStats, pricesOf } from './bot.ts';
import type { CommandAnswer } from './command-responder.ts';

export interface PaperTraderStats extends BotStats {
  /** Orders that were executed. */
  readonly executed: number;
  /** Orders that were not: no price yet, a limit not met, or the bot is paused. */
  readonly rejected: number;
}

/**
 * Starts the bot; what it does depends on the messages alone. Orders never rest, so there is nothing to cancel. Its status
 * tells position by symbol, and pnl: what the positions are worth now, and what was paid and earned for them.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`
 */
export async function startPaperTrader(options: BotOptions = {}): Promise<Bot<PaperTraderStats>> {
  const account = new PaperAccount();
  const bot = new BotCore('paper-trader', options, () => account.report());
  const stats = Object.assign(bot.stats, { executed: 0, rejected: 0 });

  bot.onCommand('place_order', ({ data }) => {
    const answer = bot.isPaused ? rejected(`${bot.name} is paused.`) : account.execute(data);
    if (answer.outcome === 'done') {
      stats.executed++;
      bot.publishStatus();
    } else stats.rejected++;
    return answer;
  });
  bot.listen(
    CHANNELS.PRICE_DATA,
    (message) => {
      options.onPrice?.(message);
      account.prices.set(message.data.symbol, message.data.price);
    },
    pricesOf(options),
  );
  await bot.start();
  return { name: bot.name, subscriber: bot.subscriber, stats, stop: () => bot.stop() };
}

class PaperAccount {
  /** The latest price of each instrument. */
  readonly prices = new Map<string, number>();
  readonly #positions = new Map<string, number>();
  /** Earned by selling, less what was paid for buying. */
  #cash = 0;

  /** Rejected when there is no price, or none that the limit allows. */
  execute({ symbol, side, quantity, limit_price }: PlaceOrder): CommandAnswer {
    const price = this.prices.get(symbol);
    if (price === undefined) return rejected(`There is no price of ${symbol} yet.`);
    const direction = side === 'buy' ? 1 : -1;
    if (limit_price !== undefined && direction * (price - limit_price) > 0)
      return rejected(`The price ${price} is past the limit ${limit_price}.`);
    this.#positions.set(symbol, (this.#positions.get(symbol) ?? 0) + direction * quantity);
    this.#cash -= direction * quantity * price;
    return { outcome: 'done', detail: `${quantity} ${symbol} ${PAST[side]} at ${price}.` };
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

const PAST = { buy: 'bought', sell: 'sold' } as const;

function rejected(detail: string): CommandAnswer {
  return { outcome: 'rejected', detail };
}
