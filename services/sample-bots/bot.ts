// The core of every sample bot: connection, status reports, pause and resume, shutdown.

import {
  type BotStatus,
  type Channel,
  type Connection,
  type Logger,
  type MessageHandler,
  type MessageOf,
  type MessageType,
  type PayloadInput,
  type PriceChannel,
  RedisConnection,
  type SubscribeOptions,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import {
  type CommandHandler,
  CommandResponder,
  type Commands,
  type HandlerResult,
} from './command-responder.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;

export interface BotOptions {
  /** Connection for this bot only, which `stop` leaves open. Default: a new one to the Redis of CONFIG. */
  readonly connection?: Connection;
  /** Name in status and commands. Default: the name of the module, such as `momentum`. */
  readonly name?: string;
  /** The channel of the prices, such as `priceChannel('kraken')`. Default PRICE_DATA. */
  readonly channel?: PriceChannel;
  /** Instruments to subscribe to. Default: all. */
  readonly symbols?: readonly string[];
  /** Called with every delivered price, before the bot acts on it. */
  readonly onPrice?: (message: PriceMessage) => void;
  /** Milliseconds between periodic status reports. Each change of state is also reported at once. Default 2,000. */
  readonly statusIntervalMs?: number;
  readonly logger?: Logger;
}

export interface BotStats {
  /** Published commands. */
  readonly commandsSent: number;
  /** Commands whose publish failed or whose outcome is unknown. They are not retried. */
  readonly commandsFailed: number;
  /** Delivered commands for this bot. */
  readonly commandsReceived: number;
}

/** A running bot. */
export interface Bot<Stats extends BotStats = BotStats> {
  readonly name: string;
  /** Gives access to counters, such as `subscriber.status(CHANNELS.PRICE_DATA)`. */
  readonly subscriber: RedisSubscriber;
  readonly stats: Stats;
  /** Handles the received messages, publishes the status `stopped` and closes. Idempotent. */
  stop(): Promise<void>;
}

/** Status fields specific to a bot. */
type StatusDetails = Pick<BotStatus, 'position' | 'pnl'>;

const DEFAULT_STATUS_INTERVAL_MS = 2_000;

/**
 * Common part of the sample bots. Publishes a result on COMMAND_RESULTS for every command to the bot that has an id.
 *
 * States: starting -> running <-> paused -> stopped. Only `#setState` changes the state; it publishes the status.
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
  /** Descriptions of the subscriptions, for the status. */
  readonly #subscriptions = new Map<Channel, string[]>();
  #state: BotStatus['state'] = 'starting';
  #reason: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  /** @param describe called for every status report */
  constructor(defaultName: string, options: BotOptions, describe: () => StatusDetails = () => ({})) {
    const logger = options.logger && { logger: options.logger };
    this.name = options.name ?? defaultName;
    this.#options = options;
    this.#describe = describe;
    this.#connection = options.connection ?? new RedisConnection({ ...logger });
    this.#publisher = new RedisPublisher({ connection: this.#connection, name: this.name, ...logger });
    this.subscriber = new RedisSubscriber({ connection: this.#connection, name: this.name, ...logger });
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
      this.#responder.reject(message, 'The command expired before delivery.'),
    );
  }

  /** Sets the handler of a command type and lists the type in the status. */
  onCommand<T extends MessageType<Commands>>(type: T, handler: CommandHandler<T>): void {
    this.#responder.handle(type, handler);
    const { TRADE_COMMANDS } = CHANNELS;
    this.#subscriptions.set(TRADE_COMMANDS, [`${TRADE_COMMANDS}: ${this.#responder.types.join(', ')}`]);
  }

  /** Subscribes like `subscriber.subscribe` and lists the subscription in the status. */
  subscribe<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    handler: NoInfer<MessageHandler<C, T>>,
    options: SubscribeOptions<C, T> = {},
  ): void {
    this.subscriber.subscribe(channel, handler, options);
    const filter = options.types ?? options.keys;
    const description = filter === undefined ? `${channel}` : `${channel}: ${truncate(filter.join(', '))}`;
    this.#subscriptions.set(channel, [...(this.#subscriptions.get(channel) ?? []), description]);
  }

  get isPaused(): boolean {
    return this.#state === 'paused';
  }

  /**
   * Starts listening and reports `running`. Call `subscribe` before `start`.
   *
   * @throws TickbusError as thrown by `startListening`, after closing everything
   */
  async start(): Promise<void> {
    try {
      await this.subscriber.startListening();
    } catch (error) {
      await this.#close();
      throw error;
    }
    // A pause command may have arrived already.
    if (this.#state === 'starting') this.#setState('running');
    this.#timer = setInterval(() => this.publishStatus(), this.#statusIntervalMs);
  }

  /** Sends a command. A failure is counted, logged and not retried: the command may have been published. */
  send<T extends MessageType<Commands>>(type: T, data: PayloadInput<Commands, T>): void {
    this.#publisher.publish(CHANNELS.TRADE_COMMANDS, data, { type }).then(
      () => this.stats.commandsSent++,
      (error: unknown) => {
        this.stats.commandsFailed++;
        this.#options.logger?.warn(
          { bot: this.name, type, reason: String(error) },
          'Sending a command failed',
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
      behind: this.#backlog(),
      status_interval_ms: this.#statusIntervalMs,
      ...this.#describe(),
    };
    this.#publisher.publish(CHANNELS.BOT_STATUS, status).catch((error: unknown) => {
      this.#options.logger?.debug({ bot: this.name, reason: String(error) }, 'Publishing the status failed');
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Publishes `stopped` after the last handler has finished, so that the figures in this status are final. */
  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.subscriber.close();
    this.#setState('stopped');
    await this.#close();
  }

  /** Closing the publisher waits for publishes in flight. */
  async #close(): Promise<void> {
    await this.subscriber.close();
    await this.#publisher.close();
    if (this.#options.connection === undefined) await this.#connection.close();
  }

  #onCommandMessage(message: MessageOf<Commands>): void {
    this.stats.commandsReceived++;
    this.#responder.execute(message);
  }

  #changeState(state: 'paused' | 'running', reason: string | undefined): HandlerResult {
    this.#setState(state, reason);
    return { outcome: 'done', detail: `${this.name} is ${state}.` };
  }

  get #statusIntervalMs(): number {
    return this.#options.statusIntervalMs ?? DEFAULT_STATUS_INTERVAL_MS;
  }

  /** Messages waiting in delivery queues. */
  #backlog(): number {
    const depths = [...this.#subscriptions.keys()].map(
      (channel) => this.subscriber.status(channel)?.queueDepth ?? 0,
    );
    return depths.reduce((sum, depth) => sum + depth, 0);
  }

  #setState(state: BotStatus['state'], reason?: string): void {
    this.#state = state;
    this.#reason = reason;
    this.publishStatus();
  }
}

/** The channel of the prices. */
export function priceChannelOf({ channel = CHANNELS.PRICE_DATA }: BotOptions): PriceChannel {
  return channel;
}

/** Subscribe options for the prices of `symbols`, or of all instruments if undefined. */
export function pricesOf({ symbols }: BotOptions): { keys?: readonly string[] } {
  return symbols === undefined ? {} : { keys: symbols };
}

const MAX_SUBSCRIPTION_LENGTH = 200;

function truncate(text: string): string {
  return text.length > MAX_SUBSCRIPTION_LENGTH ? `${text.slice(0, MAX_SUBSCRIPTION_LENGTH - 1)}…` : text;
}
