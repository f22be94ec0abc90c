// The commands that are addressed to a bot: each is obeyed and answered on COMMAND_RESULTS. One that comes again, the library drops.

import type { CommandResult, Logger, Message, MessageOf, MessageType } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';

export type Commands = typeof CHANNELS.TRADE_COMMANDS;

/** What became of a command. */
export type CommandAnswer = Pick<CommandResult, 'detail'> & {
  readonly outcome: Exclude<CommandResult['outcome'], 'accepted'>;
};

/** Carries out the commands of one type. */
export type CommandHandler<T extends MessageType<Commands>> = (
  message: MessageOf<Commands, T>,
) => CommandAnswer;

export interface CommandResponderOptions {
  /** The bot's name, under which it answers. */
  readonly bot: string;
  readonly publisher: RedisPublisher;
  readonly logger: Logger | undefined;
}

/** A command without a handler is answered with `rejected`. */
export class CommandResponder {
  readonly #options: CommandResponderOptions;
  readonly #handlers = new Map<string, CommandHandler<MessageType<Commands>>>();

  constructor(options: CommandResponderOptions) {
    this.#options = options;
  }

  /** The types of the commands that are obeyed. */
  get types(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  handle<T extends MessageType<Commands>>(type: T, handler: CommandHandler<T>): void {
    this.#handlers.set(type, handler as CommandHandler<MessageType<Commands>>);
  }

  execute(message: MessageOf<Commands>): void {
    const { message_type: type } = message;
    const answer = this.#handlers.get(type)?.(message);
    if (answer === undefined) this.reject(message, `${this.#options.bot} does not obey ${type}.`);
    else this.#publishResult(message, answer);
  }

  reject(message: Message, detail: string): void {
    this.#publishResult(message, { outcome: 'rejected', detail });
  }

  /** Without an id there is nothing by which the sender could tell the answer from another. */
  #publishResult({ id, message_type: action, sender: by }: Message, answer: CommandAnswer): void {
    if (!id) return;
    const { bot, publisher, logger } = this.#options;
    publisher
      .publish(CHANNELS.COMMAND_RESULTS, { command_id: id, bot, action, by, ...answer })
      .catch((error: unknown) => {
        logger?.warn({ bot, id, reason: String(error) }, 'The result of a command was not told.');
      });
  }
}
