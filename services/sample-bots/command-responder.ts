// Executes the commands addressed to a bot and publishes each result on COMMAND_RESULTS. The library drops duplicates.

import type { CommandResult, Logger, Message, MessageOf, MessageType } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';

export type Commands = typeof CHANNELS.TRADE_COMMANDS;

/** Result of a command, as returned by its handler. */
export type HandlerResult = Pick<CommandResult, 'detail'> & {
  readonly outcome: Exclude<CommandResult['outcome'], 'accepted'>;
};

/** Executes commands of one type. */
export type CommandHandler<T extends MessageType<Commands>> = (
  message: MessageOf<Commands, T>,
) => HandlerResult;

export interface CommandResponderOptions {
  /** Name of the bot in its results. */
  readonly bot: string;
  readonly publisher: RedisPublisher;
  readonly logger: Logger | undefined;
}

/** Executes commands with a handler and rejects the others. */
export class CommandResponder {
  readonly #options: CommandResponderOptions;
  readonly #handlers = new Map<string, CommandHandler<MessageType<Commands>>>();

  constructor(options: CommandResponderOptions) {
    this.#options = options;
  }

  /** Command types with a handler. */
  get types(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  handle<T extends MessageType<Commands>>(type: T, handler: CommandHandler<T>): void {
    this.#handlers.set(type, handler as CommandHandler<MessageType<Commands>>);
  }

  execute(message: MessageOf<Commands>): void {
    const { message_type: type } = message;
    const result = this.#handlers.get(type)?.(message);
    if (result === undefined) this.reject(message, `${this.#options.bot} does not support ${type}.`);
    else this.#publishResult(message, result);
  }

  reject(message: Message, detail: string): void {
    this.#publishResult(message, { outcome: 'rejected', detail });
  }

  /** Skips a command without an id: its sender could not match the result. */
  #publishResult({ id, message_type: action, sender: by }: Message, result: HandlerResult): void {
    if (!id) return;
    const { bot, publisher, logger } = this.#options;
    publisher
      .publish(CHANNELS.COMMAND_RESULTS, { command_id: id, bot, action, by, ...result })
      .catch((error: unknown) => {
        logger?.warn({ bot, id, reason: String(error) }, 'Publishing a command result failed');
      });
  }
}
