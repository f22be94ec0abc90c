// The payload of `command_result`: what became of a command, told by the bot that it was for.

import { z } from 'zod';

export const commandResult = z.object({
  /** The `id` of the command's envelope. */
  command_id: z.string().min(1),
  /** The bot that answers. */
  bot: z.string().min(1).max(128),
  /** What was commanded: the command's message type, such as `pause`. */
  action: z.string().min(1).max(128),
  /**
   * - `accepted`: the bot has begun; another result follows.
   * - `done`: it is as commanded.
   * - `rejected`: the bot will not do it, and has done nothing.
   * - `failed`: the bot has tried, and did not succeed.
   */
  outcome: z.enum(['accepted', 'done', 'rejected', 'failed']),
  /** A sentence for the operator. */
  detail: z.string().max(1000).optional(),
  /** Who commanded it: the command's sender. */
  by: z.string(),
});

export type CommandResult = z.infer<typeof commandResult>;
