// What every bot here is to the outside, and the part that all of them share: links, status, pause and resume, an end.

import {
  type BotStatus,
  type Channel,
  type Connection,
  type Logger,
  type MessageHandler,
  type MessageOf,
  type MessageType,
  type PayloadInput,
  RedisConnection,
  type SubscribeOptions,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import {
  type CommandAnswer,
  type CommandHandler,
  CommandResponder,
  type Commands,
} from './command-responder.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;

export interface BotOptions {
  /** Links for this bot alone, which it does not close. Default: links of its own to the Redis of CONFIG. */
  readonly connection?: Connection;
  /** Its name in status and commands. Default: the name of its module, as in `momentum`. */
  readonly name?: string;
  /** The instruments it follows. Default: all. */
  readonly symbols?: readonly string[];
  /** Called with every price that the bot is given, before the bot acts on it. */
  readonly onPrice?: (message: PriceMessage) => void;
  /** Milliseconds between two tellings of its status, besides those on a change. Default 2,000. */
  readonly statusIntervalMs?: number;
  readonly logger?: Logger;
}

export interface BotStats {
  /** Commands that were published. */
  readonly commandsSent: number;
  /** Commands that were not published, or of which that is not known. They are not sent again. */
  readonly commandsFailed: number;
  /** Commands addressed to this bot that were delivered to it. */
  readonly commandsReceived: number;
}

/** A running bot. */
export interface Bot<Stats extends BotStats = BotStats> {
  readonly name: string;
  /** For its counters, as in `subscriber.status(CHANNELS.PRICE_DATA)`. */
  readonly subscriber: RedisSubscriber;
  readonly stats: Stats;
  /** Finishes what was received, tells the status `stopped` and ends. Safe to call again. */
  stop(): Promise<void>;
}

/** What a bot adds to its own status. */
type StatusDetails = Pick<BotStatus, 'position' | 'pnl'>;

const DEFAULT_STATUS_INTERVAL_MS = 2_000;

/**
 * Every command that is addressed to the bot is answered on COMMAND_RESULTS.
 *
 * States: starting -> running <-> paused -> stopped. `#enter` changes them and tells.
 */
export class BotCore {
  readonly name: string;
  readonly subscriber: RedisSubscriber;
  readonly stats = { commandsSent: 0, commandsFailed: 0, commandsReceived: 0 };
  readonly #options: BotOptions;
  readonly #describe: () => StatusDetails;
  readonly #connection: Connection;
  readonly #publisher: RedisPublisher;
  readonly #responder: CommandResponder;
  readonly #startedAt = Date.now();
  /** What it listens to, with the sentence that tells it. */
  readonly #subscriptions = new Map<Channel, string[]>();
  #state: BotStatus['state'] = 'starting';
  #reason: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  /** @param describe called for every telling of the status */
  constructor(defaultName: string, options: BotOptions, describe: () => StatusDetails = () => ({})) {
    const logger = options.logger && { logger: options.logger };
    this.name = options.name ?? defaultName;
    this.#options = options;
    this.#describe = describe;
    this.#connection = options.connection ?? new RedisConnection({ ...logger });
    this.#publisher = new RedisPublisher({ connection: this.#connection, sender: this.name, ...logger });
    this.subscriber = new RedisSubscriber({ connection: this.#connection, ...logger });
    this.#responder = new CommandResponder({
      bot: this.name,
      publisher: this.#publisher,
      logger: options.logger,
    });
    this.onCommand('pause', ({ data }) => this.#changeState('paused', data.reason));
    this.onCommand('resume', ({ data }) => this.#changeState('running', data.reason));
    this.subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (message) => this.#onCommandMessage(message), {
      keys: [this.name],
    });
    this.subscriber.on('expired', ({ message }) =>
      this.#responder.reject(message, 'It came after its time was over.'),
    );
  }

  /** Obeys the commands of a type from now on, and tells of it in the status. */
  onCommand<T extends MessageType<Commands>>(type: T, handler: CommandHandler<T>): void {
    this.#responder.handle(type, handler);
    const { TRADE_COMMANDS } = CHANNELS;
    this.#subscriptions.set(TRADE_COMMANDS, [`${TRADE_COMMANDS}: ${this.#responder.types.join(', ')}`]);
  }

  /** Subscribes, as `subscriber.subscribe` does, and tells of it in the status. */
  listen<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    handler: NoInfer<MessageHandler<C, T>>,
    options: SubscribeOptions<C, T> = {},
  ): void {
    this.subscriber.subscribe(channel, handler, options);
    const wanted = options.types ?? options.keys;
    const sentence = wanted === undefined ? `${channel}` : `${channel}: ${truncate(wanted.join(', '))}`;
    this.#subscriptions.set(channel, [...(this.#subscriptions.get(channel) ?? []), sentence]);
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  /**
   * Listens, and tells that the bot runs. Subscribe before.
   *
   * @throws TickbusError as `startListening` does, after everything is closed again
   */
  async start(): Promise<void> {
    try {
      await this.subscriber.startListening();
    } catch (error) {
      await this.#close();
      throw error;
    }
    // A pause may have come already.
    if (this.#state === 'starting') this.#enter('running');
    this.#timer = setInterval(() => this.publishStatus(), this.#statusIntervalMs);
  }

  /** Sends a command. One that fails is counted and logged, and never sent again: it may have been published all the same. */
  send<T extends MessageType<Commands>>(type: T, data: PayloadInput<Commands, T>): void {
    this.#publisher.publish(CHANNELS.TRADE_COMMANDS, data, { type }).then(
      () => this.stats.commandsSent++,
      (error: unknown) => {
        this.stats.commandsFailed++;
        this.#options.logger?.warn(
          { bot: this.name, type, reason: String(error) },
          'A command was not sent.',
        );
      },
    );
  }

  publishStatus(): void {
    const status: BotStatus = {
      bot: this.name,
      state: this.#state,
      ...(this.#reason !== undefined && { detail: this.#reason }),
      started_at: this.#startedAt,
      subscriptions: [...this.#subscriptions.values()].flat(),
      behind: this.#behind(),
      status_interval_ms: this.#statusIntervalMs,
      ...this.#describe(),
    };
    this.#publisher.publish(CHANNELS.BOT_STATUS, status).catch((error: unknown) => {
      this.#options.logger?.debug({ bot: this.name, reason: String(error) }, 'The status was not told.');
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** The last word after the last handler: what it reports is then final. */
  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.subscriber.close();
    this.#enter('stopped');
    await this.#close();
  }

  /** Closing the publisher waits for what is on its way. */
  async #close(): Promise<void> {
    await this.subscriber.close();
    await this.#publisher.close();
    if (this.#options.connection === undefined) await this.#connection.close();
  }

  #onCommandMessage(message: MessageOf<Commands>): void {
    this.stats.commandsReceived++;
    this.#responder.execute(message);
  }

  #changeState(state: 'paused' | 'running', reason: string | undefined): CommandAnswer {
    this.#enter(state, reason);
    return { outcome: 'done', detail: `${this.name} is ${state}.` };
  }

  get #statusIntervalMs(): number {
    return this.#options.statusIntervalMs ?? DEFAULT_STATUS_INTERVAL_MS;
  }

  /** Messages that wait for the handlers. */
  #behind(): number {
    const depths = [...this.#subscriptions.keys()].map(
      (channel) => this.subscriber.status(channel)?.queueDepth ?? 0,
    );
    return depths.reduce((sum, depth) => sum + depth, 0);
  }

  #enter(state: BotStatus['state'], reason?: string): void {
    this.#state = state;
    this.#reason = reason;
    this.publishStatus();
  }
}

/** The options of a subscription to the prices of these instruments; of all without them. */
export function pricesOf({ symbols }: BotOptions): { keys?: readonly string[] } {
  return symbols === undefined ? {} : { keys: symbols };
}

const MAX_SUBSCRIPTION_LENGTH = 200;

function truncate(text: string): string {
  return text.length > MAX_SUBSCRIPTION_LENGTH ? `${text.slice(0, MAX_SUBSCRIPTION_LENGTH - 1)}…` : text;
}
