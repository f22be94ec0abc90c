// The payloads of TRADE_COMMANDS: instructions to a bot. Every command names its target bot.

import { z } from 'zod';

/** The name of a bot. */
export const botName = z.string().min(1).max(128);
const bot = botName;
const symbol = z.string().min(1).max(128);
const positive = z.number().positive();

/** Buys or sells. Without `limit_price` it is a market order. */
export const placeOrder = z.object({
  bot,
  symbol,
  side: z.enum(['buy', 'sell']),
  quantity: positive,
  limit_price: positive.optional(),
  /** The sender's id for the order, used to cancel it. */
  order_id: z.string().min(1).max(128).optional(),
});

export const cancelOrder = z.object({ bot, order_id: z.string().min(1).max(128) });

/** Cancels every open order, or those of one instrument. */
export const cancelAll = z.object({ bot, symbol: symbol.optional() });

/** Stops the bot from placing orders until `resume`. */
export const pause = z.object({ bot, reason: z.string().max(500).optional() });

export const resume = z.object({ bot, reason: z.string().max(500).optional() });

export type PlaceOrder = z.infer<typeof placeOrder>;
export type CancelOrder = z.infer<typeof cancelOrder>;
export type CancelAll = z.infer<typeof cancelAll>;
export type Pause = z.infer<typeof pause>;
export type Resume = z.infer<typeof resume>;
