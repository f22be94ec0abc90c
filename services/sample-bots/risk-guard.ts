// A bot that watches two others: pauses the one that sends orders while the one that executes them is past a limit.

import type { BotStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { type Bot, BotCore, type BotOptions, pricesOf } from './bot.ts';

export interface RiskGuardOptions extends BotOptions, RiskLimits {
  /** The bot whose loss and position are watched. Default `paper-trader`. */
  readonly trader?: string;
  /** The bot that is paused and resumed. Default `momentum`. */
  readonly target?: string;
}

interface RiskLimits {
  /** The highest loss, in the account's currency. Default 1,000. */
  readonly maxLoss?: number;
  /** The highest value of all positions at the latest prices, short ones counted as long. Default 100,000. */
  readonly maxExposure?: number;
  /** The part of both limits below which the target is resumed, so that it is not paused again at once. Default 0.8. */
  readonly resumeBelow?: number;
}

/**
 * Starts the bot; what it does depends on the messages alone. A bot that somebody else has paused is not resumed.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`
 */
export async function startRiskGuard(options: RiskGuardOptions = {}): Promise<Bot> {
  const { trader = 'paper-trader', target = 'momentum' } = options;
  const bot = new BotCore('risk-guard', options);
  const risk = new RiskTracker(options);
  /** What the target last said of itself; undefined from a command on until it says something again. */
  let heard: BotStatus | undefined;
  let myReason: string | undefined;

  const isMine = (reason: string | undefined) => reason !== undefined && reason === myReason;

  /**
   * Compares what should be with what the target says of itself, with every message: a command can be lost, and a bot that
   * starts anew knows nothing of a pause. A paused bot repeats the reason in its status, which tells my pause from others'.
   */
  const act = () => {
    const alarm = risk.breach();
    if (bot.isPaused) return;
    if (alarm !== undefined && heard?.state === 'running') {
      myReason = alarm;
      bot.send('pause', { bot: target, reason: alarm });
      heard = undefined;
    } else if (alarm === undefined && heard?.state === 'paused' && isMine(heard.detail)) {
      bot.send('resume', { bot: target, reason: 'Loss and exposure are within their limits.' });
      heard = undefined;
    }
  };

  bot.listen(
    CHANNELS.BOT_STATUS,
    ({ data }) => {
      if (data.bot === trader) risk.account = data;
      if (data.bot === target) heard = data;
      act();
    },
    { keys: [trader, target] },
  );
  bot.listen(
    CHANNELS.PRICE_DATA,
    (message) => {
      options.onPrice?.(message);
      risk.prices.set(message.data.symbol, message.data.price);
      act();
    },
    pricesOf(options),
  );
  await bot.start();
  return bot;
}

class RiskTracker {
  /** The latest price of each instrument. */
  readonly prices = new Map<string, number>();
  account: Pick<BotStatus, 'position' | 'pnl'> = {};
  readonly #limits: Required<RiskLimits>;
  #isPast = false;

  constructor({ maxLoss = 1_000, maxExposure = 100_000, resumeBelow = 0.8 }: RiskLimits) {
    this.#limits = { maxLoss, maxExposure, resumeBelow };
  }

  /** A sentence that names the limit which is passed; undefined when all is well. */
  breach(): string | undefined {
    const { maxLoss, maxExposure, resumeBelow } = this.#limits;
    const part = this.#isPast ? resumeBelow : 1;
    const loss = -(this.account.pnl ?? 0);
    const exposure = this.#exposure();
    const lossIsPast = loss > maxLoss * part;
    this.#isPast = lossIsPast || exposure > maxExposure * part;
    if (!this.#isPast) return undefined;
    return lossIsPast
      ? `The loss is ${loss.toFixed(2)}; the limit is ${maxLoss}.`
      : `The exposure is ${exposure.toFixed(2)}; the limit is ${maxExposure}.`;
  }

  /** A position without a price yet counts nothing. */
  #exposure(): number {
    const { position } = this.account;
    if (typeof position !== 'object') return 0;
    const values = Object.entries(position).map(([symbol, held]) =>
      Math.abs(held * (this.prices.get(symbol) ?? 0)),
    );
    return values.reduce((sum, value) => sum + value, 0);
  }
}
