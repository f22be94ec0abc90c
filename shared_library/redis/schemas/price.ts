// The payload of `price`: what one instrument costs now.

import { z } from 'zod';

const quantity = z.number().nonnegative();

export const price = z.object({
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

export type Price = z.infer<typeof price>;
