// The bar builder as a service: builds bars from TRADES all the time, and publishes them while it holds the lease.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BarChannel,
  bar,
  type Clock,
  type Connection,
  type Logger,
  systemClock,
  type TradeChannel,
} from 'tickbus';
import { readStored } from 'tickbus/admin';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { BarPublisher } from './bar-publisher.ts';
import type { BarStats, Readiness, Role } from './bar-stats.ts';
import { BarBuilder, type BuilderOptions } from './bars/bar-builder.ts';
import { Publications } from './bars/publications.ts';
import { precedes } from './stored-messages.ts';
import { TradeIntake } from './trade-intake.ts';

export interface BarServiceOptions extends Omit<BuilderOptions, 'maxTrades'> {
  readonly connection: Connection;
  readonly trades: TradeChannel;
  readonly bars: BarChannel;
  /** The name of the channel of the prices of the same feed. */
  readonly priceChannel: string;
  /** Only these instruments, which the builder requests. Default: all that are on the channel. */
  readonly symbols?: readonly string[] | undefined;
  /** Milliseconds without a renewal after which the standby takes over. Default 3,000. */
  readonly leaseTtlMs?: number;
  readonly logger: Logger;
  /** A clock for tests. Default: the system clock. */
  readonly clock?: Clock;
}

/** How often due bars are looked for, milliseconds. Changes within that time are one revision. */
const TICK_MS = 25;
const RETRY_MS = 500;
const CLOCK_DIFFERENCE_MS = 1_000;
/** Minimum milliseconds between two lines of the log about what was left out. */
const REPORT_MS = 10_000;

/**
 * starting -> standby <-> active;   any -> stopping -> stopped
 *
 * Active and standby build the same bars, and read BARS, so both know what is published. A builder that acquires the
 * lease first reads the stored bars (`#isCaughtUp`): from then on only its own publishes change the channel.
 */
export class BarService {
  readonly #options: BarServiceOptions;
  readonly #clock: Clock;
  readonly #builder: BarBuilder;
  readonly #publications = new Publications();
  readonly #subscriber: RedisSubscriber;
  readonly #lease: RedisLease;
  readonly #publisher: RedisPublisher;
  readonly #intake: TradeIntake;
  readonly #barPublisher: BarPublisher;
  #role: Role = 'starting';
  #isConnected = false;
  #isCaughtUp = false;
  #takeOvers = 0;
  #cancelTick = () => {};
  #reported = '';
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BarServiceOptions) {
    this.#options = options;
    const {
      connection,
      trades,
      bars,
      priceChannel,
      symbols,
      leaseTtlMs,
      logger,
      clock = systemClock,
    } = options;
    this.#clock = clock;
    this.#builder = new BarBuilder(options);
    this.#subscriber = new RedisSubscriber({ connection, logger, clock, freshness: false });
    this.#lease = new RedisLease({ connection, channel: bars, ttlMs: leaseTtlMs, logger });
    this.#publisher = new RedisPublisher({ connection, lease: this.#lease, sender: 'bar-builder', clock });
    this.#barPublisher = new BarPublisher({
      publisher: this.#publisher,
      channel: bars,
      publications: this.#publications,
      mayPublish: () => this.#ownsChannel,
    });
    this.#intake = new TradeIntake({
      subscriber: this.#subscriber,
      transport: connection.publishing,
      channel: trades,
      priceChannel,
      symbols: symbols && new Set(symbols),
      builder: this.#builder,
      clock,
    });
    this.#subscriber.tap(bars, ({ message }) => {
      if (!this.#ownsChannel) this.#publications.seen(message.data, false);
    });
    this.#subscriber.on('gap', ({ channel, repaired }) => {
      // After a take-over, `#catchUp` reads what is missing.
      if (channel === bars.name && !repaired && !this.#lease.holds) this.#doubt();
    });
    this.#lease.on('gained', () => this.#onGained());
    this.#lease.on('lost', ({ reason }) => this.#onLost(reason));
    connection.subscribing.onStatus(({ type }) => {
      if (type !== 'stale') this.#isConnected = type === 'connected';
    });
  }

  get stats(): BarStats {
    const { waiting, lost, unrevised } = this.#publications;
    const { ignored, settledEarly } = this.#builder;
    return {
      role: this.#role,
      takeOvers: this.#takeOvers,
      ...this.#barPublisher.counts,
      waiting,
      lost,
      unrevised,
      settledEarly,
      ignored: { ...ignored },
    };
  }

  get readiness(): Readiness {
    const detail = this.#lease.problem ?? this.#barPublisher.problem;
    const isWorking = this.#role === 'standby' || this.#role === 'active';
    return {
      ready: this.#isConnected && isWorking && detail === undefined,
      role: this.#role,
      redis: this.#isConnected ? 'connected' : 'disconnected',
      ...(detail !== undefined && { detail }),
    };
  }

  /** @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, without retrying, with advice */
  async start(): Promise<void> {
    await this.#subscriber.startListening();
    await this.#options.connection.publishing.connect();
    await this.#intake.start();
    for (const built of this.#builder.takeDue(this.#clock.monotonic())) this.#publications.built(built);
    const { bars, isTrimmed } = await this.#readBars();
    this.#publications.start(bars, isTrimmed, this.#venueTime);
    if (this.#role !== 'starting') return;
    this.#setRole('standby');
    this.#tick();
    await this.#lease.start();
  }

  /** Waits for the bars in flight, and releases the lease, so that the standby takes over at once. */
  async stop(): Promise<void> {
    this.#setRole('stopping');
    this.#cancelTick();
    await this.#barPublisher.settled();
    await this.#lease.close();
    await this.#publisher.close();
    await this.#subscriber.close();
    this.#setRole('stopped');
  }

  /** Whether BARS changes only by the publishes of this process, and all earlier ones are known. */
  get #ownsChannel(): boolean {
    return this.#isCaughtUp && this.#lease.holds;
  }

  #onGained(): void {
    if (this.#role !== 'standby') return;
    this.#takeOvers++;
    this.#setRole('active');
    void this.#catchUp(this.#lease.token);
  }

  #onLost(reason: string): void {
    this.#options.logger.warn({ reason }, 'Lease lost; building bars without publishing them.');
    this.#isCaughtUp = false;
    if (this.#role === 'active') this.#setRole('standby');
  }

  async #catchUp(token: number | undefined): Promise<void> {
    const { logger } = this.#options;
    while (this.#role === 'active' && token !== undefined && this.#lease.token === token) {
      try {
        const { bars, first, isTrimmed } = await this.#readBars();
        if (this.#lease.token !== token) return;
        const read = this.#subscriber.status(this.#options.bars)?.position;
        // What was published between the last bar received here and the oldest stored one is unknown.
        if (isTrimmed && (read === undefined || precedes(read, first))) this.#doubt();
        for (const bar of bars) this.#publications.seen(bar, false);
        this.#isCaughtUp = true;
        return;
      } catch (error) {
        logger.warn({ reason: String(error) }, 'Cannot read the bars that are published; trying again.');
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async #readBars() {
    const { connection, bars } = this.#options;
    const parts = await readStored(connection.publishing, bars, ({ data, epoch, seq }) => {
      const { data: valid } = bar.safeParse(data);
      return valid && { bar: valid, epoch, seq };
    });
    return {
      bars: parts.flatMap(({ messages }) => messages.map((message) => message.bar)),
      // With several partitions, the subscriber has no position to compare it with.
      first: parts[0]?.messages[0] ?? {},
      isTrimmed: parts.some(({ isFull }) => isFull),
    };
  }

  #doubt(): void {
    this.#publications.doubt(this.#venueTime);
  }

  /** At least as late as another builder's. They are not equal, because trades take different times to arrive. */
  get #venueTime(): number {
    return this.#builder.venueTime(this.#clock.monotonic()) + CLOCK_DIFFERENCE_MS;
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const built of this.#builder.takeDue(now)) this.#publications.built(built);
    const settled = this.#builder.settle(now);
    if (settled !== undefined) this.#publications.forget(settled);
    this.#barPublisher.start();
    this.#report(now);
    this.#cancelTick = this.#clock.after(TICK_MS, () => this.#tick());
  }

  /** One line says how much was left out so far, after the numbers have changed. */
  #report(now: number): void {
    const { failures, lost, unrevised, settledEarly, ignored } = this.stats;
    const { outsideSession: _, ...faults } = ignored;
    const leftOut = { ...faults, lost, unrevised, settledEarly, failures };
    const text = JSON.stringify(leftOut);
    if (this.#reported === '') this.#reported = text;
    if (text === this.#reported || now < this.#reportedAt + REPORT_MS) return;
    this.#reported = text;
    this.#reportedAt = now;
    this.#options.logger.warn(leftOut, 'Bars do not contain all messages of TRADES, or were published late.');
  }

  #setRole(role: Role): void {
    if (this.#role === role) return;
    this.#options.logger.info({ was: this.#role }, `The bar builder is ${role}.`);
    this.#role = role;
  }
}
