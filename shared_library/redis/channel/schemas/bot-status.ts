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
  /** Unix milliseconds at which the bot was started. */
  started_at: z.number().nonnegative().optional(),
  /** What it listens to, for people: `PRICE_DATA: AAPL, MSFT`, `TRADE_COMMANDS: pause, resume`. */
  subscriptions: z.array(z.string().max(1000)).max(100).optional(),
  /** Messages that have arrived at the bot and wait for its handlers. */
  behind: z.number().int().nonnegative().optional(),
  /** At the latest so many milliseconds after this status the next one follows; later, the bot is overdue. */
  status_interval_ms: z.number().positive().optional(),
});

export type BotStatus = z.infer<typeof botStatus>;
