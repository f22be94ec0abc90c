// The commands that are addressed to a bot: each is obeyed once, and answered on COMMAND_RESULTS.

import type { CommandResult, Logger, Message, MessageOf, MessageType } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';

export type Commands = typeof CHANNELS.TRADE_COMMANDS;

/** What became of a command. */
export type Answer = Pick<CommandResult, 'detail'> & {
  readonly outcome: Exclude<CommandResult['outcome'], 'accepted'>;
};

/** Carries out the commands of one type. */
export type CommandHandler<T extends MessageType<Commands>> = (message: MessageOf<Commands, T>) => Answer;

export interface CommandDeskOptions {
  /** The bot's name, under which it answers. */
  readonly bot: string;
  readonly publisher: RedisPublisher;
  readonly logger: Logger | undefined;
}

/** A command without a handler is answered with `rejected`. */
export class CommandDesk {
  readonly #options: CommandDeskOptions;
  readonly #handlers = new Map<string, CommandHandler<MessageType<Commands>>>();
  readonly #seen = new RecentIds();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** The types of the commands that are obeyed. */
  get types(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  handle<T extends MessageType<Commands>>(type: T, handler: CommandHandler<T>): void {
    this.#handlers.set(type, handler as CommandHandler<MessageType<Commands>>);
  }

  /**
   * Remembered before it is obeyed: a command that comes again is never obeyed again, whatever became of the first.
   *
   * @returns false for one that came again
   */
  obey(message: MessageOf<Commands>): boolean {
    const { id, message_type: type } = message;
    if (id !== undefined && !this.#seen.add(id)) return false;
    const answer = this.#handlers.get(type)?.(message);
    if (answer === undefined) this.reject(message, `${this.#options.bot} does not obey ${type}.`);
    else this.#answer(message, answer);
    return true;
  }

  reject(message: Message, detail: string): void {
    this.#answer(message, { outcome: 'rejected', detail });
  }

  /** Without an id there is nothing by which the sender could tell the answer from another. */
  #answer({ id, message_type: action, sender: by }: Message, answer: Answer): void {
    if (!id) return;
    const { bot, publisher, logger } = this.#options;
    publisher
      .publish(CHANNELS.COMMAND_RESULTS, { command_id: id, bot, action, by, ...answer })
      .catch((error: unknown) => {
        logger?.warn({ bot, id, reason: String(error) }, 'The result of a command was not told.');
      });
  }
}

/** More ids than can be on their way at a time; older ones have expired long since. */
const MAX_IDS = 10_000;

class RecentIds {
  readonly #ids = new Set<string>();

  /** False when it is there already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > MAX_IDS && oldest !== undefined) this.#ids.delete(oldest);
    return true;
  }
}
