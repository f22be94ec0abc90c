// The price band of a US stock: limit up and limit down.

import type { BandEvent } from '@tickbus/capture';

/**
 * During regular trading hours, no venue may execute below `limit_down` or above `limit_up`. A bid below the band and
 * an offer above it are displayed, but cannot be executed, and do not count for the national best bid and offer. So
 * the price book leaves them out. Source: Plan to Address Extraordinary Market Volatility (LULD Plan), section VI(A).
 *
 * Trades are not judged: the Plan exempts some (such as opening and closing auctions), and a trade can be reported
 * after the band has changed.
 */
export class PriceBand {
  readonly #low: number;
  readonly #high: number;
  /** The end of regular trading hours on the day of the band, Unix milliseconds. */
  readonly until: number;

  private constructor(low: number, high: number, until: number) {
    this.#low = low;
    this.#high = high;
    this.until = until;
  }

  /** Undefined if no band is in force, also after regular trading hours. */
  static of({ limit_down, limit_up, timestamp }: BandEvent): PriceBand | undefined {
    if (limit_down === undefined && limit_up === undefined) return undefined;
    const { NEGATIVE_INFINITY: lowest, POSITIVE_INFINITY: highest } = Number;
    const band = new PriceBand(limit_down ?? lowest, limit_up ?? highest, closeOf(timestamp));
    return band.until > timestamp ? band : undefined;
  }

  /** @param at time of the quote, Unix milliseconds */
  permitsBid(price: number, at: number): boolean {
    return price >= this.#low || at >= this.until;
  }

  /** @param at time of the quote, Unix milliseconds */
  permitsAsk(price: number, at: number): boolean {
    return price <= this.#high || at >= this.until;
  }
}

/** Regular trading hours end at 16:00 in New York. */
const CLOSE_MS = 16 * 3_600_000;
const NEW_YORK = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/New_York',
  hourCycle: 'h23',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
});

/** The close on the day of `time`. No clock change falls between a band and its close: both are on a trading day. */
function closeOf(time: number): number {
  const parts = Object.fromEntries(
    NEW_YORK.formatToParts(time).map(({ type, value }) => [type, Number(value)]),
  );
  const { hour = 0, minute = 0, second = 0 } = parts;
  return time - (time % 1_000) - ((hour * 60 + minute) * 60 + second) * 1_000 + CLOSE_MS;
}
