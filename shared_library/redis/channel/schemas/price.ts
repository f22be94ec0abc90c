// The payload of `price`: what one instrument costs now.

import { z } from 'zod';
import { withFastPath } from './fast-path.ts';

const quantity = z.number().nonnegative();

const schema = z.object({
  /** The instrument, in the venue's own spelling: `AAPL`, `BTC-USD`. */
  symbol: z.string().min(1).max(64),
  /** The last trade's price, or the midpoint of the quote before the first trade; `source` says which. Spreads and futures can be below 0. */
  price: z.number(),
  /** Unix time of the price at its source; milliseconds in all that tickbus itself sends. */
  timestamp: z.number().nonnegative(),
  /** Best bid and ask and their sizes, when known. */
  bid: z.number().optional(),
  ask: z.number().optional(),
  bid_size: quantity.optional(),
  ask_size: quantity.optional(),
  /** The size of the last trade. */
  size: quantity.optional(),
  /** Where it is traded: `iex`, `coinbase`. */
  venue: z.string().max(64).optional(),
  /** What `price` is: the last trade, or the midpoint of bid and ask. */
  source: z.enum(['trade', 'midpoint']).optional(),
});

export type Price = z.infer<typeof schema>;

/** Prices are most of what a desk sends, and every one is validated by its publisher and by every bot. */
export const price = withFastPath(schema, isPrice);

const REQUIRED_FIELDS = 3;

/** True for a price with nothing in it but known fields, each of them valid. */
function isPrice(data: unknown): boolean {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return false;
  let required = 0;
  for (const field in data) {
    const value = (data as Readonly<Record<string, unknown>>)[field];
    switch (field) {
      case 'symbol':
        if (typeof value !== 'string' || value === '' || value.length > 64) return false;
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
        if (!isQuantity(value)) return false;
        break;
      case 'venue':
        if (typeof value !== 'string' || value.length > 64) return false;
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
