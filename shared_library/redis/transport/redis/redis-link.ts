// One link to Redis: connects, monitors the connection and reconnects. RedisTransport sends the commands.

import { ConnectionTimeoutError, ErrorReply } from 'redis';
import { TickbusError } from '../../errors.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { Emitter } from '../../runtime/emitter.ts';
import { areTimersFake } from '../../runtime/fake-timers.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { LinkStatus } from '../link-status.ts';
import { formatAddress, formatPlace, type Place } from './address.ts';
import { createRedisClient, type RedisClient } from './client.ts';
import { connectError, isPermanent, linkError, notConnectedError, silentError } from './error-mapping.ts';
import { slotRefusal } from './error-replies.ts';
import { checkFakeTimers } from './fake-timers-guard.ts';
import type { LinkSettings } from './link-settings.ts';
import { LinkWatchdog } from './link-watchdog.ts';
import { backoffMs } from './reconnect-backoff.ts';
import { isWithoutReplicas, isWrongServer } from './wrong-server.ts';

/** Milliseconds after which an attempt to reconnect times out, including handshake and subscriptions. */
const RECONNECT_TIMEOUT_MS = 3_000;
/**
 * Attempts before giving up on rejected credentials or a missing permission, which an operator may just be changing.
 */
const MAX_REFUSALS = 3;

/**
 * States:
 *
 * - `new`.
 * - `connecting`: the first connection. If it fails the state is `failed`, and `connect()` can be called again.
 * - `connected`: usable and monitored. Silence is reported as `stale` and leads to `disconnected`.
 * - `disconnected`: retries at once, then with backoff, until `connected`, rejected (`failed`) or `closed`.
 *   Without `reconnect` it changes to `failed` at once.
 * - `closed`.
 *
 * Every connection has its own client; events of older clients are ignored. Only `#enter` changes the state.
 */
export class RedisLink {
  readonly #settings: LinkSettings;
  readonly #logger: Logger;
  readonly #prepare: (client: RedisClient) => Promise<unknown>;
  readonly #status: Emitter<{ status: LinkStatus }>;
  #state: 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed' = 'new';
  #client: RedisClient | undefined;
  #watchdog: LinkWatchdog | undefined;
  #connecting: Promise<void> | undefined;
  /** Why a new connection cannot be prepared: another program has written to a key that it needs. */
  #foreignData: TickbusError | undefined;
  #generation = 0;
  /** When a connection was lost that has not been replaced yet, in milliseconds of `performance.now()`. */
  #lostAt: number | undefined;
  /** The server of the present connection or attempt. */
  #server: LinkSettings;
  #endBackoff: () => void = () => {};
  #cancelAttempt: (reason: Error) => void = () => {};
  #unwatch: Unsubscribe | undefined;

  /** @param prepare sets up a new client, such as its subscriptions, before `connected` is reported */
  constructor(settings: LinkSettings, logger: Logger, prepare: (client: RedisClient) => Promise<unknown>) {
    this.#settings = settings;
    this.#server = settings;
    this.#logger = logger;
    this.#prepare = prepare;
    this.#status = new Emitter((err) => logger.error({ err }, 'A link listener threw.'));
  }

  /** The connected client. @throws TickbusError `TICKBUS_NOT_CONNECTED` or `TICKBUS_CLOSED` */
  get client(): RedisClient {
    if (this.#state === 'closed') throw closedError();
    if (this.#client === undefined || this.#state !== 'connected') throw notConnectedError(this.#server);
    return this.#client;
  }

  async connect(): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state === 'disconnected') throw this.#foreignData ?? notConnectedError(this.#server);
    this.#connecting ??= this.#connectFirst();
    await this.#connecting;
  }

  /** Input has arrived over the link. */
  recordActivity(): void {
    this.#watchdog?.recordActivity();
  }

  /** Closes a connection whose state cannot be trusted, and reconnects. */
  dropConnection(client: RedisClient, error: unknown): void {
    if (client === this.#client && this.#state === 'connected') this.#lose(linkError(error, this.#server));
  }

  /** The server refused a command. If it may be the wrong server, the link looks for the right one. */
  onRefusal(client: RedisClient, error: unknown): void {
    const { locator } = this.#settings;
    if (locator === undefined) return;
    const refusal = slotRefusal(error);
    if (refusal === 'moved' || isWrongServer(error)) this.dropConnection(client, error);
    else if (refusal === 'unserved' || isWithoutReplicas(error)) void locator.recheck?.();
  }

  /** The server is at `place` now. A connection to another place is closed, and the link connects there. */
  moveTo({ host, port }: Place): void {
    const { host: oldHost, port: oldPort } = this.#server;
    if (this.#client === undefined || (host === oldHost && port === oldPort)) return;
    const moved = new Error(`The server is now at ${formatPlace({ host, port })}`);
    // An attempt to reconnect to a server that hangs would take seconds.
    if (this.#state === 'disconnected') this.#cancelAttempt(moved);
    else this.dropConnection(this.#client, moved);
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#status.on('status', listener);
  }

  close(): void {
    if (this.#state === 'closed') return;
    const client = this.#detachClient();
    this.#enter('closed', { type: 'closed' });
    this.#status.clear();
    this.#endBackoff();
    this.#cancelAttempt(closedError());
    client?.destroy();
  }

  async #connectFirst(): Promise<void> {
    this.#enter('connecting', { type: 'connecting' });
    try {
      if (areTimersFake()) await checkFakeTimers();
      await this.#open(this.#settings.connectTimeoutMs);
    } catch (error) {
      if (this.#isClosed()) throw closedError();
      const failure = connectError(error, this.#server);
      // Its caller reports it.
      this.#fail(failure, 'debug');
      throw failure;
    }
  }

  /** Creates and connects a client. Destroys it on failure. */
  async #open(timeoutMs: number): Promise<void> {
    const { locator } = this.#settings;
    if (locator !== undefined) {
      const { cluster: _cluster, sentinel: _sentinel, ...server } = this.#settings;
      this.#server = { ...server, ...(await locator.locate()) };
      if (this.#isClosed()) throw closedError();
    }
    const client = createRedisClient(this.#server);
    this.#client = client;
    client.on('error', (error: unknown) => this.#onError(client, error));
    await this.#withTimeout(this.#establish(client), client, timeoutMs);
    this.#watchdog = new LinkWatchdog({
      // Any reply proves that the link is alive, even the error of a server without PING.
      ping: () =>
        client
          .ping()
          .catch((error: unknown) => (error instanceof ErrorReply ? error : Promise.reject(error))),
      onStale: (silentForMs) => this.#onStale(client, silentForMs),
    });
    this.#logConnected();
    this.#enter('connected', { type: 'connected', generation: ++this.#generation });
  }

  async #establish(client: RedisClient): Promise<void> {
    await client.connect();
    await this.#settings.locator?.verify(client);
    await this.#prepare(client);
    if (!client.isReady) throw new Error('The server closed the connection immediately.');
  }

  /**
   * The client's own timeout covers only the TCP connection. A client that is destroyed while connecting may still
   * connect, or hang in its handshake. So this method does not wait for the client, and destroys it again if it
   * connects later.
   */
  async #withTimeout(up: Promise<void>, client: RedisClient, ms: number): Promise<void> {
    const timedOut = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new ConnectionTimeoutError()), ms);
      this.#cancelAttempt = reject;
      up.finally(() => clearTimeout(timer)).catch(() => {});
    });
    try {
      await Promise.race([up, timedOut]);
      if (this.#isClosed()) throw closedError();
    } catch (error) {
      client.destroy();
      up.then(
        () => client.destroy(),
        () => {},
      );
      throw error;
    }
  }

  #onError(client: RedisClient, error: unknown): void {
    this.dropConnection(client, error);
  }

  #onStale(client: RedisClient, silentForMs: number): void {
    if (client !== this.#client || this.#state !== 'connected') return;
    this.#status.emit('status', { type: 'stale', silentForMs });
    if (!this.#isClosed()) this.#lose(silentError(silentForMs, this.#server));
  }

  /**
   * The link has dropped or cannot be trusted. An error on a connection that is still open comes from the client's
   * decoder.
   */
  #lose(error: TickbusError): void {
    this.#foreignData = undefined;
    this.#lostAt = performance.now();
    const client = this.#detachClient();
    this.#logger.warn(this.#logFields(error), error.message);
    this.#enter('disconnected', { type: 'disconnected', error });
    client?.destroy();
    if (this.#isClosed()) return;
    if (this.#settings.reconnect) void this.#reconnect();
    else this.#fail(error);
  }

  async #reconnect(): Promise<void> {
    let refusals = 0;
    for (let attempt = 1; ; attempt++) {
      await this.#backOff(backoffMs(attempt));
      if (this.#state !== 'disconnected') return;
      this.#status.emit('status', { type: 'reconnecting', attempt });
      try {
        return await this.#open(Math.min(RECONNECT_TIMEOUT_MS, this.#settings.connectTimeoutMs));
      } catch (error) {
        if (this.#isClosed()) return;
        const failure = linkError(error, this.#server);
        this.#foreignData = failure.field === undefined ? undefined : failure;
        if (isPermanent(error) && ++refusals === MAX_REFUSALS) return this.#fail(failure);
        this.#logger.debug({ ...this.#logFields(failure), attempt }, 'Reconnect failed; retrying.');
      }
    }
  }

  #fail(error: TickbusError, level: 'error' | 'debug' = 'error'): void {
    this.#detachClient();
    this.#connecting = undefined;
    this.#logger[level](this.#logFields(error), error.message);
    this.#enter('failed', { type: 'failed', error });
  }

  #detachClient(): RedisClient | undefined {
    const client = this.#client;
    this.#client = undefined;
    this.#watchdog?.stop();
    return client;
  }

  /** Keeps the process alive while the link reconnects. */
  #backOff(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endBackoff = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Listeners and concurrent calls can close the link at any `await` or `emit`. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #enter(state: 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed', status: LinkStatus): void {
    this.#state = state;
    if (state === 'connecting') this.#unwatch ??= this.#settings.locator?.watch?.(this);
    if (state === 'failed' || state === 'closed') {
      this.#unwatch?.();
      this.#unwatch = undefined;
    }
    this.#status.emit('status', status);
  }

  /** The end of an outage has the level of its beginning: a log that shows one shows both. */
  #logConnected(): void {
    const lostAt = this.#lostAt;
    this.#lostAt = undefined;
    if (lostAt === undefined) return this.#logger.debug(this.#logFields(), 'Connected to Redis.');
    const seconds = ((performance.now() - lostAt) / 1_000).toFixed(1);
    this.#logger.warn(this.#logFields(), `Reconnected after ${seconds} s.`);
  }

  #logFields(error?: TickbusError): object {
    const { name, namespace } = this.#settings;
    const redis = formatAddress(this.#server);
    const link = { redis, link: name, ...(namespace === undefined ? {} : { namespace }) };
    return error === undefined ? link : { ...link, code: error.code };
  }
}

function closedError(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Create a new one.');
}
