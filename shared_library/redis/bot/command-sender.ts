// Sends commands to other bots, and counts. While the bot is paused, it sends no orders.

import type { MessageType, PayloadInput } from '../channel/channel.ts';
import type { TradeCommands } from '../channel/trade-commands.ts';
import { CHANNELS } from '../constants.ts';
import type { RedisPublisher } from '../publisher.ts';
import type { Logger } from '../runtime/logger.ts';
import type { DeepReadonly } from '../wire/message.ts';
import type { ReceiverCheck } from './receiver-check.ts';

const { TRADE_COMMANDS } = CHANNELS;

/**
 * Publishes a command on TRADE_COMMANDS. It never rejects and is not retried: a failure is counted and logged, and the
 * command may have been published. While the bot is paused, `place_order` is not sent. If no program has the name of
 * the receiver, the log says so.
 *
 * @returns whether the command was published. Use `publisher.ask` for the answer
 */
export type Send = <T extends MessageType<TradeCommands>>(
  type: T,
  data: PayloadInput<TradeCommands, T> | DeepReadonly<PayloadInput<TradeCommands, T>>,
) => Promise<boolean>;

export interface BotStats {
  /** Published commands. */
  readonly commandsSent: number;
  /** Commands whose publish failed or whose outcome is unknown. They are not retried. */
  readonly commandsFailed: number;
  /** Orders that were not sent because the bot was paused. */
  readonly ordersHeldBack: number;
  /** Commands for this bot that were delivered. */
  readonly commandsReceived: number;
  /** Prices that were not fresh when a handler called `fresh`. */
  readonly stale: number;
}

/** The counters of `createSend`. */
type SendCounters = { -readonly [K in Exclude<keyof BotStats, 'commandsReceived' | 'stale'>]: number };

export function createSend(
  publisher: RedisPublisher,
  isPaused: () => boolean,
  counters: SendCounters,
  logger: Logger,
  receivers: Pick<ReceiverCheck, 'check'>,
): Send {
  return async (type, data) => {
    if (type === 'place_order' && isPaused()) {
      counters.ordersHeldBack++;
      return false;
    }
    try {
      await publisher.publish(TRADE_COMMANDS, data, { type });
      counters.commandsSent++;
      void receivers.check(data.bot, type);
      return true;
    } catch (error) {
      counters.commandsFailed++;
      logger.warn({ type, reason: String(error) }, 'Sending a command failed');
      return false;
    }
  };
}
