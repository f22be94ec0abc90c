// Sends commands to other bots. While the bot is paused, it sends no orders.

import type { MessageType, PayloadInput } from '../channel/channel.ts';
import type { TradeCommands } from '../channel/trade-commands.ts';
import { CHANNELS } from '../constants.ts';
import type { RedisPublisher } from '../publisher.ts';
import type { Logger } from '../runtime/logger.ts';
import type { DeepReadonly } from '../wire/message.ts';

const { TRADE_COMMANDS } = CHANNELS;

/**
 * Publishes a command on TRADE_COMMANDS. It never rejects and is not retried: a failure is counted and logged, and the
 * command may have been published. While the bot is paused, `place_order` is not sent.
 *
 * @returns whether the command was published. Use `publisher.ask` for the answer
 */
export type Send = <T extends MessageType<TradeCommands>>(
  type: T,
  data: PayloadInput<TradeCommands, T> | DeepReadonly<PayloadInput<TradeCommands, T>>,
) => Promise<boolean>;

export interface SendCounters {
  commandsSent: number;
  commandsFailed: number;
  ordersHeldBack: number;
}

export function createSend(
  publisher: RedisPublisher,
  isPaused: () => boolean,
  counters: SendCounters,
  logger: Logger,
): Send {
  return async (type, data) => {
    if (type === 'place_order' && isPaused()) {
      counters.ordersHeldBack++;
      return false;
    }
    try {
      await publisher.publish(TRADE_COMMANDS, data, { type });
      counters.commandsSent++;
      return true;
    } catch (error) {
      counters.commandsFailed++;
      logger.warn({ type, reason: String(error) }, 'Sending a command failed');
      return false;
    }
  };
}
