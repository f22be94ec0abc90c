// The gateway: on standby until it acquires the lease of its channel. While it holds the lease, it publishes the prices
// of one feed.

import { MAX_CHANNEL_KEYS } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import { DemandReader } from './demand/demand-reader.ts';
import { EarlierStatuses } from './demand/earlier-statuses.ts';
import { SymbolDemand } from './demand/symbol-demand.ts';
import type { Feed } from './feeds/feed.ts';
import { type CompleteOptions, completeOptions, type GatewayOptions } from './gateway-options.ts';
import { RateLimitedLog } from './monitoring/rate-limited-log.ts';
import { Counters, type GatewayStats, type Role } from './monitoring/stats.ts';
import { createContinuedBook } from './prices/continued-book.ts';
import { FeedPublisher } from './prices/feed-publisher.ts';
import { ActiveSession } from './session/active-session.ts';
import { ConnectionBudget } from './session/connection-budget.ts';
import { FeedConflictError, FeedGuard } from './session/feed-guard.ts';
import { GatewayTrades } from './trades/gateway-trades.ts';

/**
 * Whether the gateway can do its work. On standby, it is ready while Redis is connected and answers lease requests,
 * because it can then take over. It is not ready while Redis rejects writes, for example because its memory is full.
 */
export interface Readiness {
  readonly ready: boolean;
  readonly role: Role;
  readonly redis: 'connected' | 'disconnected';
  /** The feed's state while the gateway is active. */
  readonly feed?: string;
  /** Why Redis rejects the gateway's writes. If Redis accepts them: a problem of the feed or the symbol demand. */
  readonly detail?: string;
}

export interface Gateway {
  readonly stats: GatewayStats;
  readonly readiness: Readiness;
  /** Resolves with a `FeedConflictError` if the gateway stops because another feed serves its channel. */
  readonly failure: Promise<Error>;
  /**
   * Connects to Redis and goes on standby. The active gateway reports the feed on FEED_STATUS.
   *
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`, without
   *   retrying, with advice; Error if the feed cannot be created; FeedConflictError if another feed serves the channel
   */
  start(): Promise<void>;
  /**
   * Disconnects from the broker, publishes received prices and the status `stopped`, and releases the lease.
   * Idempotent.
   */
  stop(): Promise<void>;
}

/** Creates a gateway for one feed; `start` connects. */
export function createGateway(options: GatewayOptions): Gateway {
  return new PriceGateway(options);
}

/** Deadline of each publish, milliseconds. A price that is older is not worth publishing. */
const PUBLISH_DEADLINE_MS = 1_000;

/**
 * starting -> standby <-> active;   any -> stopping -> stopped
 *
 * `#onGained` and `#onLost` switch between standby and active; a session that cannot start also returns to standby. A
 * session starts only after the previous session's feed has closed its connection (`#previousSessionEnded`), because
 * the broker would count both connections against its limit.
 */
class PriceGateway implements Gateway {
  readonly #options: CompleteOptions;
  readonly #counters = new Counters();
  readonly #warnings: RateLimitedLog;
  readonly #demand: SymbolDemand;
  readonly #trades: GatewayTrades;
  readonly #demandReader: DemandReader;
  readonly #guard: FeedGuard;
  readonly #lease: RedisLease;
  readonly #publisher: RedisPublisher;
  #role: Role = 'starting';
  #isConnected = false;
  #preparedFeed: Promise<Feed> | undefined;
  #session: ActiveSession | undefined;
  #previousSessionEnded: Promise<unknown> = Promise.resolve();
  #demandTimer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    const all = completeOptions(options);
    const { connection, channel, logger } = all;
    this.#options = all;
    this.#warnings = new RateLimitedLog(logger);
    this.#demand = new SymbolDemand({
      always: all.symbols,
      graceMs: all.symbolGraceMs,
      // INSTRUMENT_STATUS stores one status per symbol, and at most MAX_CHANNEL_KEYS statuses.
      limit: Math.min(all.demandLimit, MAX_CHANNEL_KEYS - all.symbols.length),
    });
    this.#guard = new FeedGuard({ connection, channel, onConflict: () => void this.stop() });
    this.#trades = new GatewayTrades(all, this.#counters.trades, this.#warnings);
    this.#lease = new RedisLease({
      connection,
      channel,
      ttlMs: all.leaseTtlMs,
      replicas: all.leaseReplicas,
      partitions: all.partitions,
      logger,
    });
    this.#publisher = new RedisPublisher({
      connection,
      lease: this.#lease,
      // While it is active, it also reports which bots are gone.
      name: 'price-gateway',
      logger,
      deadlineMs: PUBLISH_DEADLINE_MS,
      clock: all.clock,
    });
    this.#demandReader = new DemandReader({
      publisher: this.#publisher,
      channel,
      demand: this.#demand,
      trades: this.#trades,
      warnings: this.#warnings,
    });
    this.#lease.on('gained', ({ token }) => this.#onGained(token));
    this.#lease.on('lost', ({ token, reason }) => this.#onLost(token, reason));
    connection.publishing.onStatus((status) => {
      // On a cluster, each channel and each partition has its own link.
      if ('channel' in status && status.channel !== channel.name) return;
      if (status.type !== 'stale') this.#isConnected = status.type === 'connected';
    });
  }

  get stats(): GatewayStats {
    const { trades, dropped, failures, brokerErrors, ...counted } = this.#counters;
    return {
      channel: this.#options.channel.name,
      role: this.#role,
      ...counted,
      trades: { ...trades },
      tradesWaiting: this.#trades.waiting,
      dropped: { ...dropped },
      failures: { ...failures },
      brokerErrors: { ...brokerErrors },
      wanted: this.#session?.requestedInstruments ?? 0,
      refused: this.#session?.refusedInstruments ?? 0,
      leftOut: this.#demand.leftOut,
      quietForMs: this.#session?.quietForMs,
      feed: this.#session?.status,
    };
  }

  get failure(): Promise<Error> {
    return this.#guard.found;
  }

  get readiness(): Readiness {
    const { state, detail: feedDetail } = this.#session?.status ?? {};
    const isServing = state !== 'down' && state !== 'degraded';
    const isWorking = this.#role === 'standby' || (this.#role === 'active' && isServing);
    const problem = this.#isConnected ? (this.#lease.problem ?? this.#session?.publishProblem) : undefined;
    const detail = this.#guard.conflict?.message ?? problem ?? feedDetail ?? this.#trades.problem;
    return {
      ready: this.#isConnected && isWorking && problem === undefined,
      role: this.#role,
      redis: this.#isConnected ? 'connected' : 'disconnected',
      ...(state !== undefined && { feed: state }),
      ...(detail !== undefined && { detail }),
    };
  }

  async start(): Promise<void> {
    this.#preparedFeed = this.#options.createFeed();
    const feed = await this.#preparedFeed;
    // Redis first: a gateway that cannot publish must not occupy the broker's single connection.
    await this.#publisher.connect();
    await this.#guard.check(feed);
    if (this.#stopped !== undefined) return;
    this.#setRole('standby');
    await this.#lease.start();
    if (this.#stopped === undefined) this.#guard.watch(() => this.#role === 'standby');
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#setRole('stopping');
    clearTimeout(this.#demandTimer);
    this.#guard.stop();
    await this.#previousSessionEnded;
    await this.#session?.stop();
    await this.#lease.close();
    await this.#publisher.close();
    this.#setRole('stopped');
  }

  #onGained(token: number): void {
    if (this.#role !== 'standby') return;
    this.#setRole('active');
    this.#counters.takeOvers++;
    this.#previousSessionEnded = this.#previousSessionEnded
      .then(() => this.#startSession(token))
      .catch((error: unknown) => this.#onSessionStartFailed(error));
  }

  #onLost(token: number, reason: string): void {
    const { logger } = this.#options;
    logger.warn({ token, reason }, 'Lease lost; disconnecting from the broker.');
    const session = this.#session;
    this.#session = undefined;
    clearTimeout(this.#demandTimer);
    const aborted = session?.abort();
    this.#previousSessionEnded = this.#previousSessionEnded.then(() => aborted);
    if (this.#role === 'active') this.#setRole('standby');
  }

  /** The lease can be lost while the feed is created; the feed is then kept for the next session. */
  async #startSession(token: number): Promise<void> {
    const { createFeed, connection, channel, clock, symbolLimit, holder, logger } = this.#options;
    const feed = await (this.#preparedFeed ?? createFeed());
    this.#preparedFeed = undefined;
    const holdsLease = () => this.#lease.token === token;
    await this.#guard.check(feed, token);
    const { venue } = feed;
    const [counters, warnings] = [this.#counters, this.#warnings];
    const earlier = new EarlierStatuses({ connection, channel, warnings });
    const [book] = await Promise.all([
      createContinuedBook({ connection, channel, venue, clock, warnings }),
      this.#demandReader.read(),
      earlier.read(),
    ]);
    if (!holdsLease() || this.#role !== 'active') {
      this.#preparedFeed = Promise.resolve(feed);
      return;
    }
    const publisher = this.#publisher;
    const session = new ActiveSession({
      feed,
      channel,
      token,
      holder,
      publisher: new FeedPublisher({ publisher, channel, holdsLease, counters, warnings }),
      book,
      trades: this.#trades.newSession(venue),
      budget: this.#createBudget(feed.name),
      demand: this.#demand,
      symbolLimit,
      times: this.#options,
      clock,
      counters,
      logger,
      warnings,
    });
    this.#session = session;
    session.start();
    // Nothing else would remove the statuses that an earlier gateway left behind.
    const isCurrent = () => session === this.#session && this.#role === 'active';
    void earlier.pass((statuses) => session.inherit(statuses), isCurrent);
    this.#scheduleDemandPoll();
  }

  /** Releases the lease, so that another gateway can take over, and returns to standby. */
  async #onSessionStartFailed(error: unknown): Promise<void> {
    this.#options.logger.error({ err: error }, 'Cannot start the feed; releasing the lease.');
    if (error instanceof FeedConflictError) return this.#guard.refuse(error);
    await this.#lease.release();
    if (this.#role !== 'active') return;
    this.#setRole('standby');
    await this.#lease.start();
  }

  #scheduleDemandPoll(): void {
    this.#demandTimer = setTimeout(async () => {
      const session = this.#session;
      await this.#demandReader.read();
      if (session === undefined || session !== this.#session || this.#role !== 'active') return;
      session.syncDemand();
      this.#scheduleDemandPoll();
    }, this.#options.demandIntervalMs);
  }

  #createBudget(feed: string): ConnectionBudget {
    const { connection, channel, connectLimit: limit, connectWindowMs: windowMs, logger } = this.#options;
    const account = CHANNELS.FEED_STATUS.keyOf({ feed, channel: channel.name }) ?? feed;
    const publisher = this.#publisher;
    return new ConnectionBudget({ connection, publisher, feed: account, limit, windowMs, logger });
  }

  #setRole(role: Role): void {
    if (this.#role === role) return;
    this.#options.logger.info({ was: this.#role }, `The gateway is ${role}.`);
    this.#role = role;
  }
}
