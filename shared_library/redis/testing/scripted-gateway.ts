// ScriptedGateway: a price gateway in memory, whose prices and faults a test decides.

import type { MessageType } from '../channel/channel.ts';
import type { PriceChannel } from '../channel/venue-channels.ts';
import { CHANNELS } from '../constants.ts';
import { TickbusError } from '../errors.ts';
import { RedisPublisher } from '../publisher.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { checkOptionNames, type OptionNames } from '../runtime/option-checks.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { nextTurn } from '../runtime/turns.ts';
import { RedisSubscriber } from '../subscriber.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { MemoryConnection } from './memory-connection.ts';
import { ScriptedBook, type ScriptedQuote } from './scripted-book.ts';
import { type ScriptedFeedState, ScriptedSession } from './scripted-session.ts';

export interface ScriptedGatewayOptions {
  /** The link of the bots. Default: a link to a new server. */
  connection?: MemoryConnection | undefined;
  /**
   * The clock of the server, the gateway and the bots. Default: a `ManualClock`; with `connection`, the system clock.
   * For fake timers of vitest or Jest: `systemClock` of tickbus.
   */
  clock?: Clock | undefined;
  /** The channel of the prices, such as `priceChannel('kraken')`. Default: PRICE_DATA. */
  channel?: PriceChannel | undefined;
  /** The name of the feed in FEED_STATUS. Default `scripted`. */
  feed?: string | undefined;
  /** Milliseconds of the lease; the gateway reports its status six times in it. Default 3,000, as of the gateway. */
  leaseTtlMs?: number | undefined;
}

export interface ScriptedTrade {
  readonly size?: number | undefined;
  /** When it happened, Unix milliseconds. Default: now. */
  readonly timestamp?: number | undefined;
}

type TradeCommands = typeof CHANNELS.TRADE_COMMANDS;

/**
 * Publishes under a real lease what `services/price-gateway` publishes, so that bots reach the same verdicts. A call
 * resolves when the bots have received what it caused, and their handlers have run as far as they wait for nothing.
 *
 * @example
 * await using gateway = await ScriptedGateway.start();
 * await using bot = momentum(gateway.overrides);
 * await bot.start();
 * await gateway.price('AAPL', 101);
 * assert.equal(gateway.sent('place_order').length, 1);
 */
export class ScriptedGateway implements AsyncDisposable {
  /** The link of the bots: `disconnect()` and `reconnect()` cut it, and the gateway goes on. */
  readonly connection: MemoryConnection;
  readonly clock: Clock;
  /** Asks and commands bots, and publishes on other channels. */
  readonly desk: RedisPublisher;
  readonly #options: { readonly channel: PriceChannel; readonly feed: string; readonly leaseTtlMs: number };
  readonly #deskLink: MemoryConnection;
  readonly #recorder: RedisSubscriber;
  readonly #commands: Message[] = [];
  readonly #book = new ScriptedBook();
  #session: ScriptedSession;

  /**
   * Resolves when it holds the lease and its feed is live.
   *
   * @throws TickbusError `TICKBUS_INVALID_OPTION`
   */
  static async start(options: ScriptedGatewayOptions = {}): Promise<ScriptedGateway> {
    checkOptionNames('ScriptedGateway', options, NAMES);
    const gateway = new ScriptedGateway(options);
    // Throws for fake timers that cannot work, before a timer in the background does.
    gateway.clock.after(0, () => {})();
    await gateway.#recorder.startListening();
    await gateway.#begin();
    return gateway;
  }

  private constructor(options: ScriptedGatewayOptions) {
    const { connection, channel = CHANNELS.PRICE_DATA, feed = 'scripted', leaseTtlMs = 3_000 } = options;
    this.clock = options.clock ?? (connection === undefined ? new ManualClock() : systemClock);
    this.connection = connection ?? new MemoryConnection({ clock: this.clock });
    this.#options = { channel, feed, leaseTtlMs };
    this.#deskLink = this.#newLink();
    const shared = { connection: this.#deskLink, clock: this.clock, logger: SILENT };
    this.desk = new RedisPublisher({ ...shared, sender: DESK });
    // A listener without a name would hide from `ask` that nobody else listens.
    this.#recorder = new RedisSubscriber({ ...shared, name: 'scripted-gateway' });
    this.#recorder.subscribe(CHANNELS.TRADE_COMMANDS, (command) => void this.#commands.push(command), {
      where: ({ sender }) => sender !== DESK,
    });
    this.#session = this.#newSession();
  }

  /** The connection and the clock, for `defineBot`, `RedisSubscriber` and `RedisPublisher`. */
  get overrides(): { readonly connection: MemoryConnection; readonly clock: Clock } {
    return { connection: this.connection, clock: this.clock };
  }

  /** The payloads of the commands of a type that bots have sent, oldest first. */
  sent<T extends MessageType<TradeCommands>>(type: T): MessageOf<TradeCommands, T>['data'][] {
    const ofType = this.#commands.filter(({ message_type }) => message_type === type);
    return ofType.map(({ data }) => data as MessageOf<TradeCommands, T>['data']);
  }

  /**
   * Advances the clock, with heartbeats. Prices grow stale. After 15 s without a price, the feed is `silent`.
   *
   * @throws TickbusError `TICKBUS_INVALID_OPTION` unless the clock is a `ManualClock`
   */
  async advance(ms: number): Promise<void> {
    if (!(this.clock instanceof ManualClock)) throw noManualClock();
    await this.clock.advance(ms);
    await this.#settle();
  }

  /** A trade. @throws Error while the feed does not deliver */
  async price(symbol: string, price: number, trade: ScriptedTrade = {}): Promise<void> {
    await this.#subscribe(symbol);
    const { timestamp = this.clock.now(), size } = trade;
    await this.#session.publishPrice(this.#book.trade(symbol, price, timestamp, size));
    await this.#settle();
  }

  /**
   * A quote. A side that is left out is withdrawn. With neither a trade nor both sides, the verdict is `no_price`.
   *
   * @throws Error while the feed does not deliver
   */
  async quote(symbol: string, quote: ScriptedQuote): Promise<void> {
    await this.#subscribe(symbol);
    const price = this.#book.quote(symbol, quote, this.clock.now());
    if (price === undefined) await this.#session.withdrawPrice(symbol);
    else await this.#session.publishPrice(price);
    await this.#settle();
  }

  /** Publishes trades while the link of the bots is cut: they get the last one, and a gap reports the others. */
  async gap(symbol: string, ...prices: readonly [number, number, ...number[]]): Promise<void> {
    this.connection.disconnect();
    for (const price of prices) await this.price(symbol, price);
    this.connection.reconnect();
    await this.#settle();
  }

  /** The venue halts trading. @param detail its reason */
  halt(symbol: string, detail?: string): Promise<void> {
    return this.#setInstrument(symbol, { halt: { detail, at: this.clock.now() } });
  }

  /** The venue resumes trading. */
  resume(symbol: string): Promise<void> {
    return this.#setInstrument(symbol, { halt: undefined });
  }

  /** The venue does not deliver the instrument: it refuses it, or does not know it. */
  refuse(symbol: string, state: 'refused' | 'unknown' = 'refused', detail?: string): Promise<void> {
    return this.#setInstrument(symbol, { state, detail });
  }

  /** The state of the feed, until the next call. @param detail a sentence for the operator */
  async feed(state: ScriptedFeedState, detail?: string): Promise<void> {
    if (state === 'connecting' || state === 'down') this.#book.interrupt();
    await this.#session.setFeed(state, detail);
    await this.#pass();
  }

  /** The gateway crashes: no more heartbeats, and its lease expires. Bots notice after three missed heartbeats. */
  async crash(): Promise<void> {
    this.#session.crash();
    await this.#settle();
  }

  /**
   * Another gateway takes over: with a new lease, a new epoch, and a feed that is live from now on. After a crash, it
   * waits until the old lease has expired, and advances a `ManualClock` until then.
   */
  async takeOver(): Promise<void> {
    await this.#session.end();
    this.#book.interrupt();
    this.#session = this.#newSession();
    await this.#begin();
  }

  /** The gateway ends orderly: `stopping`, `stopped`, and its lease is released. */
  async stop(): Promise<void> {
    if (!this.#session.isEnded) await this.#session.stop();
    await this.#settle();
  }

  /** Ends everything, except bots and a connection that was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.end();
    await this.desk.close();
    await this.#recorder.close();
    await this.#deskLink.close();
  }

  #newSession(): ScriptedSession {
    return new ScriptedSession({
      ...this.#options,
      link: this.#newLink(),
      clock: this.clock,
      logger: SILENT,
    });
  }

  /** A `ManualClock` has to be advanced while another lease is held. */
  async #begin(): Promise<void> {
    const { lease } = this.#session;
    const started = this.#session.start();
    await this.#settle();
    while (this.clock instanceof ManualClock && !lease.holds) await this.clock.advance(STEP_MS);
    await started;
    await this.#pass();
  }

  #newLink(): MemoryConnection {
    const { server, namespace } = this.connection;
    return new MemoryConnection({ server, ...(namespace !== undefined && { namespace }) });
  }

  async #setInstrument(...change: Parameters<ScriptedSession['setInstrument']>): Promise<void> {
    await this.#session.setInstrument(...change);
    await this.#settle();
  }

  /** The venue confirms the subscription to an instrument before its first price. */
  async #subscribe(symbol: string): Promise<void> {
    if (!this.#session.canPublish) throw this.#noDeliveryError(symbol);
    if (await this.#session.subscribe(symbol)) await this.#pass();
  }

  #noDeliveryError(symbol: string): Error {
    const state = this.#session.isEnded ? 'The gateway has ended' : `The feed is ${this.#session.state}`;
    return new Error(
      `${state}, so no gateway would publish ${symbol}. Call takeOver() or feed('live') before the price.`,
    );
  }

  /** A price of the same instant could be from before a change of the feed, so a `ManualClock` advances a little. */
  async #pass(): Promise<void> {
    if (this.clock instanceof ManualClock) await this.clock.advance(PASSING_MS);
    await this.#settle();
  }

  /** In memory, a message needs a few turns of the event loop to reach a handler, and its reply. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise<void>(nextTurn);
  }
}

const NAMES: OptionNames<ScriptedGatewayOptions> = {
  connection: true,
  clock: true,
  channel: true,
  feed: true,
  leaseTtlMs: true,
};

const DESK = 'desk';
const TURNS = 10;
const STEP_MS = 50;
const PASSING_MS = 10;

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function noManualClock(): TickbusError {
  return new TickbusError(
    'TICKBUS_INVALID_OPTION',
    'The clock of the gateway is not a ManualClock, so the gateway cannot advance it. Omit `clock`, or advance the ' +
      'fake timers: await vi.advanceTimersByTimeAsync(ms).',
    { field: 'clock' },
  );
}
