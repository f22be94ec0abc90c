// The payload of `presence`: a named program that uses tickbus, and whether it is there.

import { z } from 'zod';
import { MAX_NAME_LENGTH } from '../limits.ts';

/** The type is read-only, so that a received presence, which is read-only, can be assigned to a Presence. */
const channels: z.ZodType<readonly string[], readonly string[]> = z.array(z.string().max(200)).max(400);

export const presence = z.object({
  /** The `name` of its subscribers and publishers. */
  name: z.string().min(1).max(MAX_NAME_LENGTH),
  /** Tells apart several programs of one name, and the runs of one program: a UUID. */
  instance: z.string().min(1).max(64),
  /**
   * - `joined`: it is there. Repeated when its channels change, and when its link has reconnected.
   * - `left`: it has ended in an orderly way.
   * - `gone`: it has stopped renewing its record. It was killed, it hangs, or its link is down. It may join again.
   */
  state: z.enum(['joined', 'left', 'gone']),
  /** When it started, Unix milliseconds by its own clock. */
  since: z.number().nonnegative(),
  /** The channels that it subscribes to and has published on. If there are many, the last entry counts the others. */
  subscribes: channels,
  publishes: channels,
  host: z.string().max(256),
  pid: z.number().int().nonnegative(),
  /** Increases by one each time its channels change. */
  revision: z.number().int().positive(),
});

export type Presence = z.infer<typeof presence>;
