// The payload of `command_result`: the outcome of a command, reported by its target bot.

import { z } from 'zod';

export const commandResult = z.object({
  /** The `id` of the command's envelope. */
  command_id: z.string().min(1).max(128),
  /** The bot that reports the outcome. */
  bot: z.string().min(1).max(128),
  /** The command's message type, such as `pause`. */
  action: z.string().min(1).max(128),
  /**
   * - `accepted`: the bot has started; another result follows.
   * - `done`: the bot has carried out the command.
   * - `rejected`: the bot has refused the command and done nothing.
   * - `expired`: the command was too late when its turn came, so the bot has done nothing.
   * - `failed`: the bot has tried without success.
   */
  outcome: z.enum(['accepted', 'done', 'rejected', 'expired', 'failed']),
  /** A sentence for the operator. */
  detail: z.string().max(1000).optional(),
  /** The sender of the command. */
  by: z.string().max(128),
});

export type CommandResult = z.infer<typeof commandResult>;
