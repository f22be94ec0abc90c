// The payload of `bot_status`: how a bot is.

import { z } from 'zod';

export const botStatus = z.object({
  bot: z.string().min(1).max(128),
  state: z.enum(['starting', 'running', 'paused', 'stopping', 'stopped', 'error']),
  /** A sentence for the operator. */
  detail: z.string().max(1000).optional(),
  /** Net quantity held, or net quantity by symbol; negative is short. */
  position: z.union([z.number(), z.record(z.string(), z.number())]).optional(),
  /** Profit and loss so far, in the account's currency. */
  pnl: z.number().optional(),
});

export type BotStatus = z.infer<typeof botStatus>;
