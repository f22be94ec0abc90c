// The payload of `feed_status`: how a feed (one upstream broker connection) is, told by the gateway that holds it.

import { z } from 'zod';

export const feedStatus = z.object({
  /** The feed's name: `alpaca`. */
  feed: z.string().min(1).max(128),
  /** `silent`: connected, and nothing has come from the broker for longer than the gateway is told to expect. */
  state: z.enum(['connecting', 'live', 'silent', 'down', 'stopping', 'stopped']),
  /** A sentence for the operator, such as the broker's error. */
  detail: z.string().max(1000).optional(),
  /** The channel that the feed fills; one feed a channel. Default PRICE_DATA. */
  channel: z.string().min(1).max(128).optional(),
  /** The token under which the gateway holds the lease of the channel. Subscribers ignore a status whose lease is not held any more. */
  lease: z.number().int().nonnegative().optional(),
  /** Who holds the lease, for the operator. */
  holder: z.string().max(256).optional(),
  /** Milliseconds until the next status at the latest. Default 1,000. */
  interval_ms: z.number().positive().optional(),
  /** Unix milliseconds of the last frame that came from the broker, by the gateway's clock: for people. */
  last_frame_at: z.number().nonnegative().optional(),
  /** How long ago that was when this was published, in milliseconds of the gateway's monotonic clock: for subscribers. */
  last_frame_ago_ms: z.number().nonnegative().optional(),
  /** For how many milliseconds the feed has been `live` without interruption, when this was published. */
  live_for_ms: z.number().nonnegative().optional(),
  /** How many instruments the feed is subscribed to. */
  instruments: z.number().int().nonnegative().optional(),
});

export type FeedStatus = z.infer<typeof feedStatus>;
