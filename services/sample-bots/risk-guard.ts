// A risk limit bot: pauses the ordering bot while the loss or exposure of the executing bot exceeds a limit.

import type { BotStatus } from 'tickbus';
import { type Bot, type BotOverrides, defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';

export type RiskGuardOptions = BotOverrides &
  RiskLimits & {
    /** The bot whose loss and position are checked. Default `paper-trader`. */
    readonly trader?: string;
    /** The bot to pause and resume. Default `momentum`. */
    readonly target?: string;
  };

interface RiskLimits {
  /** Maximum loss, in the currency of the account. Default 1,000. */
  readonly maxLoss?: number | undefined;
  /** Maximum gross exposure: sum of absolute position values at the latest prices. Default 100,000. */
  readonly maxExposure?: number | undefined;
  /** Fraction of both limits below which the target resumes (hysteresis). Default 0.8. */
  readonly resumeBelow?: number | undefined;
}

/**
 * The bot is deterministic: its commands depend on the received messages only. It resumes the target only after its own
 * pause.
 */
export function riskGuard(all: RiskGuardOptions = {}): Bot {
  const { trader = 'paper-trader', target = 'momentum', ...others } = all;
  const { maxLoss, maxExposure, resumeBelow, ...options } = others;
  const risk = new RiskTracker({ maxLoss, maxExposure, resumeBelow });
  /** Last status of the target; undefined between a command and the next status. */
  let targetStatus: BotStatus | undefined;
  let pauseReason: string | undefined;

  const isOwnPause = (detail: string | undefined) => detail !== undefined && detail === pauseReason;

  /**
   * Reconciles the target with the limits on every message: a command can be lost, and a restarted bot does not
   * remember a pause. A paused bot repeats the pause reason in its status, which identifies pauses by this bot.
   */
  const reconcile = () => {
    const breach = risk.breach();
    if (bot.isPaused) return;
    if (breach !== undefined && targetStatus?.state === 'running') {
      pauseReason = breach;
      bot.send('pause', { bot: target, reason: breach });
      targetStatus = undefined;
    } else if (breach === undefined && targetStatus?.state === 'paused' && isOwnPause(targetStatus.detail)) {
      bot.send('resume', { bot: target, reason: 'Loss and exposure are within their limits.' });
      targetStatus = undefined;
    }
  };

  const bot = defineBot({ name: 'risk-guard', ...options })
    .onMessage(
      CHANNELS.BOT_STATUS,
      ({ data }) => {
        if (data.bot === trader) risk.account = data;
        if (data.bot === target) targetStatus = data;
        reconcile();
      },
      { keys: [trader, target] },
    )
    .onPrice(({ symbol, price }) => {
      risk.prices.set(symbol, price);
      reconcile();
    });
  return bot;
}

class RiskTracker {
  /** The latest price of each instrument. */
  readonly prices = new Map<string, number>();
  account: Pick<BotStatus, 'position' | 'pnl'> = {};
  readonly #limits: { readonly [K in keyof RiskLimits]-?: number };
  #isExceeded = false;

  constructor({ maxLoss = 1_000, maxExposure = 100_000, resumeBelow = 0.8 }: RiskLimits) {
    this.#limits = { maxLoss, maxExposure, resumeBelow };
  }

  /** Describes the exceeded limit; undefined if no limit is exceeded. */
  breach(): string | undefined {
    const { maxLoss, maxExposure, resumeBelow } = this.#limits;
    const factor = this.#isExceeded ? resumeBelow : 1;
    const loss = -(this.account.pnl ?? 0);
    const exposure = this.#exposure();
    const lossExceeded = loss > maxLoss * factor;
    this.#isExceeded = lossExceeded || exposure > maxExposure * factor;
    if (!this.#isExceeded) return undefined;
    return lossExceeded
      ? `The loss is ${loss.toFixed(2)}; the limit is ${maxLoss}.`
      : `The exposure is ${exposure.toFixed(2)}; the limit is ${maxExposure}.`;
  }

  /** Positions without a price count as zero. */
  #exposure(): number {
    const { position } = this.account;
    if (typeof position !== 'object') return 0;
    const values = Object.entries(position).map(([symbol, quantity]) =>
      Math.abs(quantity * (this.prices.get(symbol) ?? 0)),
    );
    return values.reduce((sum, value) => sum + value, 0);
  }
}
