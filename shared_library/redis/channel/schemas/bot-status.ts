// The payload of `bot_status`: the state of a bot.

import { z } from 'zod';

/** The type is read-only, so that a received status, which is read-only, can be assigned to a BotStatus. */
const descriptions: z.ZodType<readonly string[], readonly string[]> = z.array(z.string().max(1000)).max(100);

export const botStatus = z.object({
  bot: z.string().min(1).max(128),
  state: z.enum(['starting', 'running', 'paused', 'stopping', 'stopped', 'error']),
  /** A sentence for the operator. */
  detail: z.string().max(1000).optional(),
  /** Net quantity, or net quantity by symbol; negative is short. */
  position: z.union([z.number(), z.record(z.string(), z.number())]).optional(),
  /** Profit and loss, in the account's currency. */
  pnl: z.number().optional(),
  /** The instance of the bot in PRESENCE, if it has a name there. */
  instance: z.string().min(1).max(64).optional(),
  /** Start time of the bot, Unix milliseconds. */
  started_at: z.number().nonnegative().optional(),
  /** The bot's subscriptions, for display: `PRICE_DATA: AAPL, MSFT`, `TRADE_COMMANDS: pause, resume`. */
  subscriptions: descriptions.optional(),
  /** Number of received messages that are queued for handlers. */
  behind: z.number().int().nonnegative().optional(),
  /** Milliseconds within which the next status follows. After that the bot is overdue. */
  status_interval_ms: z.number().positive().optional(),
});

export type BotStatus = z.infer<typeof botStatus>;
