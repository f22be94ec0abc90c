// The payloads of TRADES: every execution that the venue reported, what it corrected or cancelled later, and gaps.

import { z } from 'zod';
import { MAX_SYMBOL } from './price-data.ts';

const quantity = z.number().nonnegative();
const time = z.number().nonnegative();
const tradeId = z.string().min(1).max(128);
const venue = z.string().max(64);

/** The sale conditions of a trade, as codes of the venue. */
const conditions = z.array(z.string().min(1).max(32)).max(16);

/** What a trade must not change, by the rules that the venue publishes for its sale conditions. */
const excludedFrom = z.array(z.enum(['last', 'high_low', 'volume'])).max(3);

/** One execution. Each is published once, also if the venue sends it again. */
export const trade = z.object({
  /** The instrument, in the venue's own spelling: `AAPL`, `BTC-USD`. */
  symbol: z.string().min(1).max(MAX_SYMBOL),
  price: z.number(),
  size: quantity,
  /** When it happened at the venue, Unix milliseconds. */
  timestamp: time,
  /** The venue's identifier. Unique for the instrument and the day, unless the venue promises more. */
  trade_id: tradeId.optional(),
  conditions: conditions.optional(),
  excluded_from: excludedFrom.optional(),
  /** The side of the order that took liquidity. */
  taker_side: z.enum(['buy', 'sell']).optional(),
  /** True if a trade that happened later was published before it. */
  late: z.literal(true).optional(),
  /** The trading venue: `iex`, `coinbase`. */
  venue: venue.optional(),
});

export type Trade = z.infer<typeof trade>;

/** A trade as it was published, as far as the venue repeats it. */
const original = z.object({
  trade_id: tradeId.optional(),
  price: z.number(),
  size: quantity,
  /** When the trade happened, Unix milliseconds. */
  timestamp: time.optional(),
});

/** The venue has changed a trade. `corrected` replaces `original`. */
export const tradeCorrection = z.object({
  symbol: z.string().min(1).max(MAX_SYMBOL),
  /** When the venue corrected it, Unix milliseconds. */
  timestamp: time,
  original,
  corrected: trade.pick({
    trade_id: true,
    price: true,
    size: true,
    timestamp: true,
    conditions: true,
    excluded_from: true,
  }),
  venue: venue.optional(),
});

export type TradeCorrection = z.infer<typeof tradeCorrection>;

/** The venue has cancelled a trade: it never happened. */
export const tradeCancel = z.object({
  symbol: z.string().min(1).max(MAX_SYMBOL),
  /** When the venue cancelled it, Unix milliseconds. */
  timestamp: time,
  original,
  /** `error`: the trade was reported by mistake. */
  reason: z.enum(['cancel', 'error']).optional(),
  venue: venue.optional(),
});

export type TradeCancel = z.infer<typeof tradeCancel>;

/**
 * Trades may be missing: those of the instrument that happened after `from`, up to `to`. Between two such messages, and
 * as long as the subscriber reports no gap itself, every trade of the feed is on the channel.
 */
export const tradeGap = z.object({
  symbol: z.string().min(1).max(MAX_SYMBOL),
  /** Unix milliseconds; without it, nothing is known about the time before `to`. */
  from: time.optional(),
  /** Unix milliseconds. */
  to: time,
  /** The number of missing messages, if the gateway counted them. */
  count: z.number().int().positive().optional(),
  /**
   * - `start`: the gateway begins to publish the instrument, because it took over or because a bot requests it.
   * - `interrupted`: the connection to the broker was interrupted.
   * - `overflow`: Redis did not accept trades for so long that the gateway dropped some.
   * - `rejected`: Redis rejects a message, or it is invalid.
   */
  reason: z.enum(['start', 'interrupted', 'overflow', 'rejected']),
});

export type TradeGap = z.infer<typeof tradeGap>;
