// The bot kit: status, heartbeat, pause and resume, commands and their answers, signals, and the orderly end.

export { Bot, defineBot } from './bot/bot.ts';
export type { BotOptions, BotOverrides } from './bot/bot-options.ts';
export type { CommandHandler, CommandOptions, CommandReply, OwnCommandHandler } from './bot/command-desk.ts';
export type { BotStats, Send } from './bot/command-sender.ts';
export type { PriceEvent, PriceHandler } from './bot/price-handlers.ts';
export { type CommandSchemas, type TradeCommands, tradeCommands } from './channel/trade-commands.ts';
