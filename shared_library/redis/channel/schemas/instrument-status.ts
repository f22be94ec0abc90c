// The payload of `instrument_status`: whether a feed delivers an instrument, reported by its gateway.

import { z } from 'zod';

export const instrumentStatus = z.object({
  /** The instrument as bots request it: the key of the channel. */
  symbol: z.string().min(1).max(128),
  /**
   * `subscribed`: the feed delivers it from now on. `refused`: the broker rejects it (a limit, no permission), or the
   * gateway cannot understand its messages; see `detail`. `unknown`: the broker has no such instrument.
   * `unsubscribed`: no subscriber requests it.
   */
  state: z.enum(['subscribed', 'refused', 'unknown', 'unsubscribed']),
  /**
   * Of a subscribed instrument. `trading` (default): the venue has a price. `halted`: the venue has halted trading; see
   * `detail`. `no_price`: the venue has neither a trade nor both sides of a quote, for example because the quote was
   * withdrawn. The last price on the channel is void then.
   */
  market: z.enum(['trading', 'halted', 'no_price']).optional(),
  /**
   * How long the instrument has been in this `state`, milliseconds, if the message changes something else. So a late
   * subscriber knows that the subscription was not interrupted by it.
   */
  state_for_ms: z.number().nonnegative().optional(),
  /**
   * When the venue halted the instrument, Unix milliseconds by its clock. If it does not say so, or says a time far in
   * the future, an estimate: only later trades can end the halt of an earlier gateway.
   */
  halted_at: z.number().nonnegative().optional(),
  /** False for a halted instrument that has no price either: its `market` is `no_price` after the halt. */
  has_price: z.boolean().optional(),
  /**
   * The price band of a subscribed instrument that the venue has announced (limit up, limit down): nothing may be
   * executed outside of it. Without it, no band is known, or regular trading hours have ended.
   */
  limit_down: z.number().optional(),
  limit_up: z.number().optional(),
  /** A sentence for the operator, such as the broker's error. */
  detail: z.string().max(1000).optional(),
  /** The feed's name: `alpaca`. */
  feed: z.string().min(1).max(128),
  /** The channel that the feed publishes on. Default PRICE_DATA. */
  channel: z.string().min(1).max(128).optional(),
  /** The fence token of the gateway's lease, while it holds one. */
  lease: z.number().int().nonnegative().optional(),
});

export type InstrumentStatus = z.infer<typeof instrumentStatus>;
