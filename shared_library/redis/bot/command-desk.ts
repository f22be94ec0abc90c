// Carries out the commands for a bot, and answers each one that has an id. The library drops duplicates.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Channel, MessageType } from '../channel/channel.ts';
import type { CommandResult } from '../channel/schemas/command-result.ts';
import type { TradeCommands, WithBot } from '../channel/trade-commands.ts';
import { CHANNELS } from '../constants.ts';
import { TickbusError } from '../errors.ts';
import type { RedisPublisher } from '../publisher.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { timeout } from '../runtime/timeout.ts';
import type { RedisSubscriber } from '../subscriber.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { detailText, errorText } from './detail-text.ts';

/** The answer to a command. `detail` is a sentence for the operator, cut off after 1,000 characters. */
export interface CommandReply {
  readonly outcome: 'done' | 'rejected' | 'failed';
  readonly detail?: string | undefined;
}

/**
 * Carries out commands of one type. Commands run one after another; `pause` and `resume` do not wait for them. If it
 * throws, rejects, or returns no `CommandReply`, the answer is `failed`, with the text of the error.
 */
export type CommandHandler<T extends MessageType<TradeCommands>> = (
  command: MessageOf<TradeCommands, T>,
) => CommandReply | Promise<CommandReply>;

/** Carries out commands of an own type `T` with the schema `S`. */
export type OwnCommandHandler<T extends string, S extends StandardSchemaV1> = (
  command: Message<T, WithBot<StandardSchemaV1.InferOutput<S>>>,
) => CommandReply | Promise<CommandReply>;

/** The bundled types that a bot may handle. It carries out the others by itself. */
export type HandledType = Exclude<MessageType<TradeCommands>, (typeof CONTROL)[number]>;

export interface CommandOptions {
  /**
   * Whether the command is also carried out while the bot is paused. If not, it is rejected. Default: true for
   * `cancel_order` and `cancel_all`, else false.
   */
  readonly whilePaused?: boolean | undefined;
}

export interface CommandDeskOptions {
  readonly bot: string;
  readonly publisher: RedisPublisher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isPaused: () => boolean;
  /** Called for each command that is delivered. */
  readonly onCommand: () => void;
  readonly onError: (error: unknown) => void;
}

type AnyHandler = (command: Message) => CommandReply | Promise<CommandReply>;

interface Entry {
  readonly handler: AnyHandler;
  readonly whilePaused: boolean;
}

/** These act at once, also while another command is being carried out. */
const CONTROL = ['pause', 'resume'] as const;
const ALSO_WHILE_PAUSED: ReadonlySet<string> = new Set([...CONTROL, 'cancel_order', 'cancel_all']);

/** An answer is published again for this long, as a link may be down. It may then arrive twice. */
const ANSWER_MS = 10_000;
const RETRY_MS = 250;

export class CommandDesk {
  readonly #options: CommandDeskOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** Command types with a handler. */
  get types(): readonly string[] {
    return [...this.#entries.keys()];
  }

  handle<T extends MessageType<TradeCommands>>(
    type: T,
    handler: CommandHandler<T>,
    { whilePaused = ALSO_WHILE_PAUSED.has(type) }: CommandOptions = {},
  ): void {
    this.#entries.set(type, { handler: handler as AnyHandler, whilePaused });
  }

  /** Subscribes to the commands for the bot. */
  listen(subscriber: RedisSubscriber, channel: Channel): void {
    const keys = [this.#options.bot];
    const isControl = ({ message_type }: Message) => (CONTROL as readonly string[]).includes(message_type);
    const execute = (message: Message) => this.#execute(message);
    subscriber.subscribe(channel, execute, { keys, name: 'pause and resume', where: isControl });
    subscriber.subscribe(channel, execute, { keys, name: 'commands', where: (one) => !isControl(one) });
    subscriber.on('expired', ({ channel: name, message }) => {
      if (name === channel.name) this.#answer(message, 'expired', 'The command expired before delivery.');
    });
  }

  /** Returns a promise only if the handler does. */
  #execute(message: Message): Promise<void> | undefined {
    const { bot, isPaused, onCommand } = this.#options;
    onCommand();
    const { message_type: type } = message;
    const entry = this.#entries.get(type);
    if (entry === undefined) return this.#reject(message, `${bot} does not support ${type}.`);
    if (isPaused() && !entry.whilePaused) return this.#reject(message, `${bot} is paused.`);
    try {
      const reply = entry.handler(message);
      if (!(reply instanceof Promise)) return this.#reply(message, reply);
      return reply
        .then((late) => this.#reply(message, late))
        .catch((error: unknown) => this.#fail(message, error));
    } catch (error) {
      return this.#fail(message, error);
    }
  }

  /** @throws TypeError for what a handler in JavaScript may return: an answer with it would be invalid */
  #reply(message: Message, reply: unknown): undefined {
    if (!isReply(reply)) throw new TypeError(noReply(message.message_type));
    this.#answer(message, reply.outcome, reply.detail);
  }

  #reject(message: Message, detail: string): undefined {
    this.#answer(message, 'rejected', detail);
  }

  #fail(message: Message, error: unknown): undefined {
    this.#options.onError(error);
    this.#answer(message, 'failed', errorText(error));
  }

  /** Skips a command without an id: its sender could not match the answer. */
  #answer(
    { id, message_type: action, sender: by }: Message,
    outcome: CommandResult['outcome'],
    detail: string | undefined,
  ): void {
    if (!id) return;
    const text = detail === undefined ? {} : { detail: detailText(detail) };
    this.#publish({ command_id: id, bot: this.#options.bot, action, outcome, ...text, by });
  }

  /** Never rejects. */
  async #publish(result: CommandResult): Promise<void> {
    const { publisher, clock, logger, bot } = this.#options;
    const until = clock.monotonic() + ANSWER_MS;
    for (;;) {
      try {
        await publisher.publish(CHANNELS.COMMAND_RESULTS, result);
        return;
      } catch (error) {
        if (!mayRetry(error) || clock.monotonic() >= until) {
          const { command_id: id } = result;
          logger.warn({ bot, id, reason: String(error) }, 'Answering a command failed');
          return;
        }
      }
      await timeout(clock, RETRY_MS).promise;
    }
  }
}

const OUTCOMES: ReadonlySet<unknown> = new Set<CommandReply['outcome']>(['done', 'rejected', 'failed']);

function isReply(reply: unknown): reply is CommandReply {
  const { outcome, detail } = (reply ?? {}) as Readonly<Record<keyof CommandReply, unknown>>;
  return OUTCOMES.has(outcome) && (detail === undefined || typeof detail === 'string');
}

function noReply(type: string): string {
  return (
    `The handler of ${type} has ended without an outcome, so whether it was carried out is unknown. Correct the ` +
    "handler: return { outcome: 'done' }, 'rejected' or 'failed', with a string as detail if there is one."
  );
}

/** A second answer to one command has no effect. */
function mayRetry(error: unknown): boolean {
  return error instanceof TickbusError && (error.retryable || error.code === 'TICKBUS_OUTCOME_UNKNOWN');
}
