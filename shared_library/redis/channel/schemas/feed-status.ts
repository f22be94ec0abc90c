// The payload of `feed_status`: the state of a feed (one upstream broker connection), reported by its gateway.

import { z } from 'zod';

export const feedStatus = z.object({
  /** The feed's name: `alpaca`. */
  feed: z.string().min(1).max(128),
  /**
   * `silent`: connected, but the broker has sent nothing for longer than the gateway's configured limit. `degraded`:
   * connected, but a share of what the broker sends cannot be understood. `down` also if that is half of it.
   */
  state: z.enum(['connecting', 'live', 'silent', 'degraded', 'down', 'stopping', 'stopped']),
  /** A sentence for the operator, such as the broker's error. */
  detail: z.string().max(1000).optional(),
  /**
   * Where the prices come from: the venue, or the server of a feed without one. A standby with another feed or venue
   * does not stand by.
   */
  venue: z.string().min(1).max(256).optional(),
  /** The channel that the feed publishes on; a channel has one feed. Default PRICE_DATA. */
  channel: z.string().min(1).max(128).optional(),
  /**
   * The fence token of the gateway's lease on the channel. Subscribers do not trust a status whose lease is no longer
   * held.
   */
  lease: z.number().int().nonnegative().optional(),
  /** The holder of the lease, for display. */
  holder: z.string().max(256).optional(),
  /** Milliseconds within which the next status follows. Default 1,000. */
  interval_ms: z.number().positive().optional(),
  /** Time of the last frame from the broker, Unix milliseconds by the gateway's clock. For display. */
  last_frame_at: z.number().nonnegative().optional(),
  /** Age of that frame at publication, in milliseconds of the gateway's monotonic clock. For subscribers. */
  last_frame_ago_ms: z.number().nonnegative().optional(),
  /** Milliseconds for which the feed has been `live` without interruption, at publication. */
  live_for_ms: z.number().nonnegative().optional(),
  /** Number of requested instruments that are not refused; `*` counts as one. */
  instruments: z.number().int().nonnegative().optional(),
  /**
   * True if the gateway has an `instrument_status` for every instrument that it subscribes to, and ends it when it
   * unsubscribes: a key without a status is then not known to be delivered. Default false.
   */
  reports_instruments: z.boolean().optional(),
});

export type FeedStatus = z.infer<typeof feedStatus>;
