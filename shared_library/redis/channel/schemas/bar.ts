// The payload of `bar`: the trades of one instrument in one interval.

import { z } from 'zod';
import { MAX_SYMBOL } from './price-data.ts';

const time = z.number().int().nonnegative();

export const bar = z.object({
  /** The instrument, in the venue's own spelling: `AAPL`, `BTC-USD`. */
  symbol: z.string().min(1).max(MAX_SYMBOL),
  /** The length: `1s`, `1m`, `1h`, `1d`. */
  interval: z.string().regex(/^[1-9]\d{0,3}[smhd]$/),
  /** The first millisecond of the interval, and the first after it; Unix milliseconds. */
  start: time,
  end: time,
  /** First, highest, lowest and last price, without the trades that the venue excludes from them. */
  open: z.number(),
  high: z.number(),
  low: z.number(),
  close: z.number(),
  /** The sum of the sizes, and the number of trades. */
  volume: z.number().nonnegative(),
  trades: z.number().int().nonnegative(),
  /** The mean price, weighted by size; without it if the volume is 0. */
  vwap: z.number().optional(),
  /** False if trades of the interval are missing: a gap on TRADES, or the builder started within it. */
  complete: z.boolean(),
  /** 0 for the first message about an interval. A late or corrected trade publishes the bar again, with the next. */
  revision: z.number().int().nonnegative(),
  /** The trading venue: `iex`, `coinbase`. */
  venue: z.string().max(64).optional(),
});

export type Bar = z.infer<typeof bar>;
