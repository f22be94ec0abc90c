// The gateway: stands by until it holds the lease of PRICE_DATA, then publishes what one feed hears until it holds it no more.

import { CHANNELS } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import { SymbolDemand } from './demand/symbol-demand.ts';
import type { Feed } from './feeds/feed.ts';
import { type CompleteOptions, completeOptions, type GatewayOptions } from './gateway-options.ts';
import { RateLimitedLog } from './monitoring/rate-limited-log.ts';
import { Counters, type GatewayStats, type Role } from './monitoring/stats.ts';
import { FeedPublisher } from './prices/feed-publisher.ts';
import { ActiveSession } from './session/active-session.ts';
import { ConnectionBudget } from './session/connection-budget.ts';

/** Whether it can do its work: a standby can, when it could take over. */
export interface Readiness {
  readonly ready: boolean;
  readonly role: Role;
  readonly redis: 'connected' | 'disconnected';
  /** The feed's state, where it is the active one. */
  readonly feed?: string;
  /** A sentence, where the feed is not well. */
  readonly detail?: string;
}

export interface Gateway {
  readonly stats: GatewayStats;
  readonly readiness: Readiness;
  /**
   * Connects to Redis and stands by; what becomes of the feed is told on FEED_STATUS by the one that is active.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`; Error when the feed cannot be made
   */
  start(): Promise<void>;
  /** Lets go of the broker, publishes what was received and the status `stopped`, and gives up the lease. Safe to call again. */
  stop(): Promise<void>;
}

/** A gateway for one feed; nothing connects before `start`. */
export function createGateway(options: GatewayOptions): Gateway {
  return new PriceGateway(options);
}

/** A price that has waited longer is not worth publishing. */
const PUBLISH_DEADLINE_MS = 1_000;

/**
 * starting -> standby -> active -> (standby -> active)* -> stopping -> stopped
 *
 * The lease alone decides between standby and active (`#onGained`, `#onLost`). A session begins only when the feed of the one before has let go
 * of the broker (`#ended`), because the broker would count both.
 */
class PriceGateway implements Gateway {
  readonly #options: CompleteOptions;
  readonly #counters = new Counters();
  readonly #warnings: RateLimitedLog;
  readonly #demand: SymbolDemand;
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
    const { connection, logger } = all;
    this.#options = all;
    this.#warnings = new RateLimitedLog(logger);
    this.#demand = new SymbolDemand({ always: all.symbols, graceMs: all.symbolGraceMs });
    this.#lease = new RedisLease({
      connection,
      channel: CHANNELS.PRICE_DATA,
      ttlMs: all.leaseTtlMs,
      logger,
    });
    this.#publisher = new RedisPublisher({
      connection,
      lease: this.#lease,
      sender: 'price-gateway',
      deadlineMs: PUBLISH_DEADLINE_MS,
      clock: all.clock,
    });
    this.#lease.on('gained', ({ token }) => this.#onGained(token));
    this.#lease.on('lost', ({ token, reason }) => this.#onLost(token, reason));
    connection.publishing.onStatus(({ type }) => {
      if (type !== 'stale') this.#isConnected = type === 'connected';
    });
  }

  get stats(): GatewayStats {
    const { dropped, failures, brokerErrors, ...counted } = this.#counters;
    return {
      role: this.#role,
      ...counted,
      dropped: { ...dropped },
      failures: { ...failures },
      brokerErrors: { ...brokerErrors },
      wanted: this.#session?.requestedInstruments ?? 0,
      refused: this.#session?.refusedInstruments ?? 0,
      quietForMs: this.#session?.quietForMs,
      feed: this.#session?.status,
    };
  }

  get readiness(): Readiness {
    const { state, detail } = this.#session?.status ?? {};
    const isWorking = this.#role === 'standby' || (this.#role === 'active' && state !== 'down');
    return {
      ready: this.#isConnected && isWorking,
      role: this.#role,
      redis: this.#isConnected ? 'connected' : 'disconnected',
      ...(state !== undefined && { feed: state }),
      ...(detail !== undefined && { detail }),
    };
  }

  async start(): Promise<void> {
    this.#preparedFeed = this.#options.createFeed();
    await this.#preparedFeed;
    // Redis before the broker: a gateway that cannot publish must not take the one connection there is.
    await this.#publisher.connect();
    if (this.#stopped !== undefined) return;
    this.#setRole('standby');
    await this.#lease.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#setRole('stopping');
    clearTimeout(this.#demandTimer);
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
    const cut = session?.abort();
    this.#previousSessionEnded = this.#previousSessionEnded.then(() => cut);
    if (this.#role === 'active') this.#setRole('standby');
  }

  /** The lease may be gone again by the time there is a feed. */
  async #startSession(token: number): Promise<void> {
    const { createFeed, symbolLimit, holder, logger } = this.#options;
    const feed = await (this.#preparedFeed ?? createFeed());
    this.#preparedFeed = undefined;
    const holdsLease = () => this.#lease.token === token;
    await this.#readDemand();
    if (!holdsLease() || this.#role !== 'active') {
      this.#preparedFeed = Promise.resolve(feed);
      return;
    }
    const publisher = this.#publisher;
    const [counters, warnings] = [this.#counters, this.#warnings];
    this.#session = new ActiveSession({
      feed,
      token,
      holder,
      publisher: new FeedPublisher({ publisher, holdsLease, counters, warnings }),
      budget: this.#createBudget(feed.name),
      demand: this.#demand,
      symbolLimit,
      times: this.#options,
      counters,
      logger,
      warnings,
    });
    this.#session.start();
    this.#scheduleDemandPoll();
  }

  /** The lease is given up, so that another gateway may have more luck; this one stands by again. */
  async #onSessionStartFailed(error: unknown): Promise<void> {
    this.#options.logger.error({ err: error }, 'The feed could not be started. The lease is given up.');
    await this.#lease.release();
    if (this.#role !== 'active') return;
    this.#setRole('standby');
    await this.#lease.start();
  }

  #scheduleDemandPoll(): void {
    this.#demandTimer = setTimeout(async () => {
      const session = this.#session;
      await this.#readDemand();
      if (session === undefined || session !== this.#session || this.#role !== 'active') return;
      session.syncDemand();
      this.#scheduleDemandPoll();
    }, this.#options.demandIntervalMs);
  }

  /** While Redis does not tell, what was wanted before stays wanted. */
  async #readDemand(): Promise<void> {
    try {
      const demand = await this.#publisher.wanted(CHANNELS.PRICE_DATA);
      this.#demand.update(demand.keys(), performance.now());
    } catch (error) {
      this.#warnings.warn(
        'demand',
        { reason: String(error) },
        'Cannot read symbol demand; keeping the previous set.',
      );
    }
  }

  #createBudget(feed: string): ConnectionBudget {
    const { connection, connectLimit: limit, connectWindowMs: windowMs, logger } = this.#options;
    return new ConnectionBudget({ connection, publisher: this.#publisher, feed, limit, windowMs, logger });
  }

  #setRole(role: Role): void {
    if (this.#role === role) return;
    this.#options.logger.info({ was: this.#role }, `The gateway is ${role}.`);
    this.#role = role;
  }
}
