// A bot that simulates order execution: immediately at the latest price, or not at all.

import type { BotStatus, PlaceOrder, Verdict } from 'tickbus';
import { type Bot, BotCore, type BotOptions, type BotStats, priceChannelOf, pricesOf } from './bot.ts';
import type { HandlerResult } from './command-responder.ts';

export interface PaperTraderStats extends BotStats {
  /** Executed orders. */
  readonly executed: number;
  /** Rejected orders: no price yet, no trading in the instrument, limit not met, or the bot is paused. */
  readonly rejected: number;
}

/**
 * Starts the bot. It is deterministic: its executions depend on the received messages only. An order is executed or
 * rejected at once, so there is nothing to cancel. The status reports the position by symbol and the pnl: market value
 * plus cash flow.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`
 */
export async function startPaperTrader(options: BotOptions = {}): Promise<Bot<PaperTraderStats>> {
  const account = new PaperAccount();
  const channel = priceChannelOf(options);
  const bot = new BotCore('paper-trader', options, () => account.report());
  const stats = Object.assign(bot.stats, { executed: 0, rejected: 0 });

  bot.onCommand('place_order', ({ data }) => {
    const { verdict, reason } = bot.subscriber.latest(channel, data.symbol);
    const result = bot.isPaused
      ? rejected(`${bot.name} is paused.`)
      : UNTRADABLE.includes(verdict)
        ? rejected(`${data.symbol} cannot be traded (${verdict}): ${reason}`)
        : account.execute(data);
    if (result.outcome === 'done') {
      stats.executed++;
      bot.publishStatus();
    } else stats.rejected++;
    return result;
  });
  bot.subscribe(
    channel,
    (message) => {
      options.onPrice?.(message);
      account.prices.set(message.data.symbol, message.data.price);
    },
    pricesOf(options),
  );
  await bot.start();
  return { name: bot.name, subscriber: bot.subscriber, stats, stop: () => bot.stop() };
}

/** The instrument has no valid price, whatever its last price was. Other verdicts are up to the limits of the order. */
const UNTRADABLE: readonly Verdict[] = ['halted', 'no_price', 'not_requested', 'unknown_instrument'];

class PaperAccount {
  /** The latest price of each instrument. */
  readonly prices = new Map<string, number>();
  readonly #positions = new Map<string, number>();
  /** Proceeds of sales minus cost of purchases. */
  #cash = 0;

  /** Rejects the order if there is no price or if the limit is not met. */
  execute({ symbol, side, quantity, limit_price }: PlaceOrder): HandlerResult {
    const price = this.prices.get(symbol);
    if (price === undefined) return rejected(`No price of ${symbol} has arrived yet.`);
    const direction = side === 'buy' ? 1 : -1;
    if (limit_price !== undefined && direction * (price - limit_price) > 0)
      return rejected(`The price ${price} does not meet the limit ${limit_price}.`);
    this.#positions.set(symbol, (this.#positions.get(symbol) ?? 0) + direction * quantity);
    this.#cash -= direction * quantity * price;
    return { outcome: 'done', detail: `${quantity} ${symbol} ${PAST_TENSE[side]} at ${price}.` };
  }

  report(): Required<Pick<BotStatus, 'position' | 'pnl'>> {
    const positions = [...this.#positions];
    const marketValue = positions.reduce(
      (sum, [symbol, quantity]) => sum + quantity * (this.prices.get(symbol) ?? 0),
      0,
    );
    return {
      position: Object.fromEntries(positions),
      pnl: Math.round((this.#cash + marketValue) * 100) / 100,
    };
  }
}

const PAST_TENSE = { buy: 'bought', sell: 'sold' } as const;

function rejected(detail: string): HandlerResult {
  return { outcome: 'rejected', detail };
}
