// The payload of `feed_status`: how a feed (one upstream broker connection) is, told by the gateway that holds it.

import { z } from 'zod';

export const feedStatus = z.object({
  /** The feed's name: `alpaca`. */
  feed: z.string().min(1).max(128),
  state: z.enum(['connecting', 'live', 'silent', 'down', 'stopping', 'stopped']),
  /** A sentence for the operator, such as the broker's error. */
  detail: z.string().max(1000).optional(),
  /** Unix milliseconds of the last frame that came from the broker. */
  last_frame_at: z.number().nonnegative().optional(),
  /** How many instruments the feed is subscribed to. */
  instruments: z.number().int().nonnegative().optional(),
  /** The fence token of the gateway's lease, while it holds one. */
  lease: z.number().int().nonnegative().optional(),
});

export type FeedStatus = z.infer<typeof feedStatus>;
