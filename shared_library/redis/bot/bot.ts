// A bot: handlers of prices and commands, and everything around them.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Channel, MessageType } from '../channel/channel.ts';
import type { BotStatus } from '../channel/schemas/bot-status.ts';
import { type CommandSchemas, type TradeCommands, tradeCommands } from '../channel/trade-commands.ts';
import { type PriceChannel, priceChannel } from '../channel/venue-channels.ts';
import { connectionFrom } from '../connection.ts';
import { CHANNELS } from '../constants.ts';
import { RedisPublisher } from '../publisher.ts';
import { containedLogger, createDefaultLogger } from '../runtime/logger.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { type MessageHandler, RedisSubscriber, type SubscribeOptions } from '../subscriber.ts';
import type { Connection } from '../transport/port.ts';
import {
  type BotOptions,
  checkBotOptions,
  checkHandler,
  invalid,
  isSchema,
  noSchema,
} from './bot-options.ts';
import { BotState } from './bot-state.ts';
import {
  CommandDesk,
  type CommandHandler,
  type CommandOptions,
  type CommandReply,
  type HandledType,
  type OwnCommandHandler,
} from './command-desk.ts';
import { type BotStats, createSend, type Send } from './command-sender.ts';
import { type PriceHandler, PriceHandlers } from './price-handlers.ts';
import { ReceiverCheck } from './receiver-check.ts';
import { runEnd } from './run-end.ts';
import { SubscriptionList } from './subscription-list.ts';

const DEFAULT_MAX_AGE_MS = 5_000;
const DEFAULT_STATUS_INTERVAL_MS = 2_000;

/**
 * Defines a bot. It connects when it is started.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 *
 * @example
 * const bot = defineBot({ name: 'momentum', prices: ['AAPL', 'MSFT'] })
 *   .onPrice(({ symbol, price, fresh, send }) => { ... })
 *   .onCommand('set_size', z.object({ size: z.number() }), async ({ data }) => ({ outcome: 'done' }));
 * await bot.run();
 */
export function defineBot(options: BotOptions): Bot {
  return new Bot(options);
}

/**
 * The bot has the name of its options in all it publishes. It reports its status on BOT_STATUS, and answers on
 * COMMAND_RESULTS every command for it that has an id. It knows `pause` and `resume` by itself.
 *
 * An error of a handler is logged, and the state is `error` with its text until the next `pause` or `resume`.
 */
export class Bot<Own extends CommandSchemas = Record<never, never>> implements AsyncDisposable {
  readonly name: string;
  /** For what the kit does not do. Its handlers are not listed in the status. */
  readonly subscriber: RedisSubscriber;
  /** Has the bot's name as `sender`. `publisher.ask` asks other bots. */
  readonly publisher: RedisPublisher;
  /** See `Send`. */
  readonly send: Send;
  readonly #stats = { commandsSent: 0, commandsFailed: 0, ordersHeldBack: 0, commandsReceived: 0 };
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;
  readonly #state: BotState;
  readonly #desk: CommandDesk;
  readonly #prices: PriceHandlers;
  readonly #own: Record<string, StandardSchemaV1<object, object>> = {};
  readonly #subscriptions: SubscriptionList;
  #commands: TradeCommands<Own> | undefined;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #onStop: () => void = () => {};
  readonly #stopRequested = new Promise<void>((resolve) => {
    this.#onStop = resolve;
  });

  /** Use `defineBot`. */
  constructor(options: BotOptions) {
    checkBotOptions(options);
    const { name, uniqueName, clock = systemClock, venue, prices, account } = options;
    const { maxAgeMs = DEFAULT_MAX_AGE_MS, statusIntervalMs = DEFAULT_STATUS_INTERVAL_MS } = options;
    const { connection, isOwned } = connectionFrom(options);
    const logger = containedLogger(options.logger ?? createDefaultLogger('info'));
    // One participant in PRESENCE, because both have the connection and the name.
    const shared = { connection, clock, logger, name, uniqueName };
    this.name = name;
    this.#connection = connection;
    this.#ownsConnection = isOwned;
    this.publisher = new RedisPublisher(shared);
    this.subscriber = new RedisSubscriber(shared);
    this.#subscriptions = new SubscriptionList(this.subscriber);
    const parts = { bot: name, publisher: this.publisher, clock, logger };
    this.#state = new BotState({
      ...parts,
      intervalMs: statusIntervalMs,
      account,
      subscriptions: () => this.#subscriptions.descriptions(this.commands, this.#desk.types),
      trouble: () => this.#prices.trouble,
      backlog: () => this.#subscriptions.backlog(this.commands),
      stats: () => this.stats,
    });
    const isPaused = () => this.#state.isPaused;
    const receivers = new ReceiverCheck({ ...parts, connection });
    this.send = createSend(this.publisher, isPaused, this.#stats, logger, receivers);
    this.#desk = new CommandDesk({
      ...parts,
      isPaused,
      onCommand: () => this.#stats.commandsReceived++,
      onError: (error) => {
        logger.error({ bot: name, err: error }, 'A command handler failed');
        this.#state.fail(error);
      },
    });
    this.#desk.handle('pause', ({ data }) => this.#changeState('paused', data));
    this.#desk.handle('resume', ({ data }) => this.#changeState('running', data));
    const channel = venue === undefined ? CHANNELS.PRICE_DATA : priceChannel(venue);
    const { subscriber, send } = this;
    const onTrouble = () => this.#state.report();
    const pricing = { subscriber, channel, keys: prices, maxAgeMs, isPaused, send, onTrouble };
    this.#prices = new PriceHandlers({ ...parts, ...pricing });
    // The library has logged both.
    this.subscriber.on('handler_error', ({ error }) => this.#state.fail(error));
    this.subscriber.on('status', (status) => status.type === 'name_taken' && this.#state.fail(status.error));
  }

  /**
   * Calls `handler` with each price of the bot's instruments, one at a time; while it is behind, with the newest of
   * each instrument. Several handlers run one after another.
   */
  onPrice(handler: PriceHandler): this {
    this.#assertNotStarted('onPrice');
    checkHandler(handler, 'onPrice');
    if (this.#prices.add(handler)) this.#subscriptions.add(this.#prices.channel, this.#prices.keys);
    return this;
  }

  /** Subscribes like `subscriber.subscribe`, and lists the subscription in the status. */
  onMessage<C extends Channel, T extends MessageType<C> = MessageType<C>>(
    channel: C,
    handler: NoInfer<MessageHandler<C, T>>,
    options: SubscribeOptions<C, T> = {},
  ): this {
    this.#assertNotStarted('onMessage');
    this.subscriber.subscribe(channel, handler, options);
    this.#subscriptions.add(channel, options.types ?? options.keys);
    return this;
  }

  /**
   * Carries out commands of a type for this bot, and answers with what `handler` returns. An own type has a schema,
   * without the field `bot`: every command has it. See `CommandHandler`.
   */
  onCommand<T extends HandledType>(type: T, handler: CommandHandler<T>, options?: CommandOptions): this;
  onCommand<const T extends string, S extends CommandSchemas[string]>(
    type: T,
    schema: S,
    handler: OwnCommandHandler<T, S>,
    options?: CommandOptions,
  ): Bot<Own & Readonly<Record<T, S>>>;
  onCommand(type: string, ...rest: readonly unknown[]): this {
    this.#assertNotStarted('onCommand');
    const [schema, handler, options] = isSchema(rest[0]) ? rest : [undefined, ...rest];
    checkHandler(handler, 'onCommand');
    if (type === 'pause' || type === 'resume')
      throw invalid('type', `A bot carries out ${type} by itself. Remove its onCommand.`);
    if (schema !== undefined) this.#own[type] = schema as CommandSchemas[string];
    this.#commands = undefined;
    // Throws if the type is neither a bundled nor a valid own one.
    if (!Object.hasOwn(this.commands.messages, type)) throw noSchema(type);
    this.#desk.handle(type as HandledType, handler as CommandHandler<HandledType>, options as CommandOptions);
    return this;
  }

  /** TRADE_COMMANDS with the bot's own types, to publish on and to ask: `publisher.ask(bot.commands, ...)`. */
  get commands(): TradeCommands<Own> {
    const hasOwn = Object.keys(this.#own).length > 0;
    this.#commands ??= (hasOwn ? tradeCommands(this.#own) : CHANNELS.TRADE_COMMANDS) as TradeCommands<Own>;
    return this.#commands;
  }

  /** The channel of `onPrice`: PRICE_DATA, or that of the venue. */
  get priceChannel(): PriceChannel {
    return this.#prices.channel;
  }

  get state(): BotStatus['state'] {
    return this.#state.current;
  }

  get isPaused(): boolean {
    return this.#state.isPaused;
  }

  get stats(): BotStats {
    return { ...this.#stats, stale: this.#prices.staleCount };
  }

  /** Publishes the status now, for example after the position has changed. */
  reportStatus(): void {
    this.#state.report();
  }

  /**
   * Connects, and reports `running`. `run` does this for a program.
   *
   * @throws TickbusError as `startListening` of a subscriber, after closing everything
   */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /**
   * Starts the bot, and stops it on SIGINT or SIGTERM. A second SIGINT ends the process at once. Resolves when the bot
   * has stopped.
   *
   * @throws TickbusError as `start`; or after `stop`, when a link has failed for good, for example because Redis
   *   rejected the password. A supervisor then restarts the program
   */
  async run(): Promise<void> {
    const { ended, dispose } = runEnd(this.#connection);
    const started = this.start().catch((error: unknown) => {
      if (this.#stopped === undefined) throw error;
    });
    try {
      await Promise.race([ended, started.then(() => this.#stopRequested)]);
    } finally {
      await this.stop();
      dispose();
    }
  }

  /**
   * Handles the received messages, for at most 5 s, reports `stopped`, and closes. A connection that was given stays
   * open. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start(): Promise<void> {
    this.#desk.listen(this.subscriber, this.commands);
    this.#state.starting();
    try {
      await this.subscriber.startListening();
    } catch (error) {
      await this.#close();
      throw error;
    }
    this.#state.enter('running');
    this.#prices.start();
  }

  /** Reports `stopped` after the last handler has finished, so that the figures in this status are final. */
  async #stop(): Promise<void> {
    this.#onStop();
    this.#prices.close();
    const wasStarted = this.#started !== undefined;
    if (wasStarted) this.#state.enter('stopping');
    await this.subscriber.close();
    if (wasStarted) this.#state.enter('stopped');
    await this.#close();
  }

  /** Closing the publisher waits for publishes in flight. */
  async #close(): Promise<void> {
    this.#state.close();
    await this.subscriber.close();
    await this.publisher.close();
    if (this.#ownsConnection) await this.#connection.close();
  }

  #changeState(
    state: 'paused' | 'running',
    { reason }: { readonly reason?: string | undefined },
  ): CommandReply {
    if (state === 'paused') this.#state.pause(reason);
    else this.#state.resume(reason);
    return { outcome: 'done', detail: `${this.name} is ${state}.` };
  }

  #assertNotStarted(method: string): void {
    if (this.#started === undefined) return;
    throw invalid(method, `${method} was called after the start of the bot. Call it before.`);
  }
}
