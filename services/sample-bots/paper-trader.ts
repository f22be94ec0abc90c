// A bot that simulates order execution: immediately at the latest price, or not at all.

import type { BotStatus, PlaceOrder, Verdict } from 'tickbus';
import { type Bot, type BotOverrides, type CommandReply, defineBot } from 'tickbus/bot';

/**
 * The bot is deterministic: its executions depend on the received messages only. An order is executed or rejected at
 * once, so `cancel_all` has nothing to cancel. The status reports the position by symbol and the pnl: market value plus
 * cash flow.
 */
export function paperTrader(options: BotOverrides = {}): Bot {
  const account = new PaperAccount();
  const bot: Bot = defineBot({ name: 'paper-trader', account: () => account.report(), ...options })
    .onPrice(({ symbol, price }) => account.prices.set(symbol, price))
    .onCommand('place_order', ({ data }) => {
      const { verdict, reason } = bot.subscriber.latest(bot.priceChannel, data.symbol);
      if (UNTRADABLE.includes(verdict))
        return rejected(`${data.symbol} cannot be traded (${verdict}): ${reason}`);
      const reply = account.execute(data);
      if (reply.outcome === 'done') bot.reportStatus();
      return reply;
    })
    .onCommand('cancel_all', () => ({
      outcome: 'done',
      detail: 'No order is open: each was executed or rejected.',
    }));
  return bot;
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
  execute({ symbol, side, quantity, limit_price }: PlaceOrder): CommandReply {
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

function rejected(detail: string): CommandReply {
  return { outcome: 'rejected', detail };
}
