// The payload of `price`: the current price of an instrument.

import { z } from 'zod';
import { withFastPath } from './fast-path.ts';

/** Characters of a symbol: venues of options and of structured products need more than 64. */
export const MAX_SYMBOL = 128;

const quantity = z.number().nonnegative();
const time = z.number().nonnegative();

const schema = z.object({
  /** The instrument, in the venue's own spelling: `AAPL`, `BTC-USD`. */
  symbol: z.string().min(1).max(MAX_SYMBOL),
  /**
   * The price of the last trade, or the midpoint of the quote before the first trade; see `source`. Can be negative, as
   * for spreads.
   */
  price: z.number(),
  /** Unix time, at the venue, of the event that caused this message. Tickbus gateways send milliseconds. */
  timestamp: time,
  /** What caused this message. `correction`: the venue corrected or cancelled the last trade. */
  cause: z.enum(['trade', 'quote', 'correction']).optional(),
  /**
   * When the last known trade and quote happened, also if an earlier gateway received them, or if the quote may have
   * been withdrawn since. Neither goes back from one message to the next, except that a correction can restore an
   * earlier trade, or leave none.
   */
  trade_time: time.optional(),
  quote_time: time.optional(),
  /**
   * Unix milliseconds. Trades up to this time are not the price of the next gateway if the venue sends them again: the
   * venue has cancelled or corrected the newest one, or this gateway has received none.
   */
  trades_until: time.optional(),
  /** Best bid and ask with their sizes, if known. */
  bid: z.number().optional(),
  ask: z.number().optional(),
  bid_size: quantity.optional(),
  ask_size: quantity.optional(),
  /** The size of the trade that caused this message. A message with another cause has none. */
  size: quantity.optional(),
  /** The trading venue: `iex`, `coinbase`. */
  venue: z.string().max(64).optional(),
  /** Origin of `price`: the last trade, or the midpoint of bid and ask. */
  source: z.enum(['trade', 'midpoint']).optional(),
});

export type Price = z.infer<typeof schema>;

/** The schema has a fast path: most messages are prices, and the publisher and every bot validate each of them. */
export const price = withFastPath(schema, isPrice);

const REQUIRED_FIELDS = 3;

/** True for a price with known fields only, all of them valid. */
function isPrice(data: unknown): boolean {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return false;
  let required = 0;
  for (const field in data) {
    const value = (data as Readonly<Record<string, unknown>>)[field];
    switch (field) {
      case 'symbol':
        if (typeof value !== 'string' || value === '' || value.length > MAX_SYMBOL) return false;
        required++;
        break;
      case 'price':
        if (!Number.isFinite(value)) return false;
        required++;
        break;
      case 'timestamp':
        if (!isQuantity(value)) return false;
        required++;
        break;
      case 'bid':
      case 'ask':
        if (!Number.isFinite(value)) return false;
        break;
      case 'bid_size':
      case 'ask_size':
      case 'size':
      case 'trade_time':
      case 'quote_time':
      case 'trades_until':
        if (!isQuantity(value)) return false;
        break;
      case 'venue':
        if (typeof value !== 'string' || value.length > 64) return false;
        break;
      case 'cause':
        if (value !== 'trade' && value !== 'quote' && value !== 'correction') return false;
        break;
      case 'source':
        if (value !== 'trade' && value !== 'midpoint') return false;
        break;
      default:
        return false;
    }
  }
  return required === REQUIRED_FIELDS;
}

function isQuantity(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY;
}
