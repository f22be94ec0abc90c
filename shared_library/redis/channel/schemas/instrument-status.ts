// The payload of `instrument_status`: whether a feed delivers one instrument, told by the gateway that holds the feed.

import { z } from 'zod';

export const instrumentStatus = z.object({
  /** The instrument, as bots ask for it: the key of the channel. */
  symbol: z.string().min(1).max(128),
  /**
   * `subscribed`: from now on the feed delivers it. `refused`: the broker does not (a limit, no permission), `detail` says why.
   * `unknown`: the broker knows no such instrument. `unsubscribed`: nobody wants it any more.
   */
  state: z.enum(['subscribed', 'refused', 'unknown', 'unsubscribed']),
  /** A sentence for the operator, such as the broker's error. */
  detail: z.string().max(1000).optional(),
  /** The feed's name: `alpaca`. */
  feed: z.string().min(1).max(128),
  /** The channel that the feed fills. Default PRICE_DATA. */
  channel: z.string().min(1).max(128).optional(),
  /** The fence token of the gateway's lease, while it holds one. */
  lease: z.number().int().nonnegative().optional(),
});

export type InstrumentStatus = z.infer<typeof instrumentStatus>;
