// The life of one link to Redis: it connects, is watched, and is made anew when it drops. What goes over it stands in transport.ts.

import { ConnectionTimeoutError } from 'redis';
import { TickbusError } from '../../errors.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { Emitter } from '../../runtime/emitter.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { LinkStatus } from '../link-status.ts';
import { createRedisClient, type RedisClient } from './client.ts';
import { connectError, isPermanent, linkError, notConnectedError, silentError } from './error-mapping.ts';
import { formatAddress, type LinkSettings } from './link-settings.ts';
import { LinkWatchdog } from './link-watchdog.ts';
import { backoffMs } from './reconnect-backoff.ts';

/** The most milliseconds that one attempt to reconnect may take, handshake and subscriptions included. */
const RECONNECT_TIMEOUT_MS = 3_000;
/** How often refused credentials or a missing permission are tried again: they may be in the middle of being changed. */
const MAX_REFUSALS = 3;

/**
 * States:
 *
 * - `new`.
 * - `connecting`: the first connection. It fails fast: `failed`, from which `connect()` begins anew.
 * - `connected`: usable, and watched; silence is told as `stale` and ends in `disconnected`.
 * - `disconnected`: tried again at once, then after growing pauses, until `connected`, refused (`failed`) or `closed`.
 *   Without `reconnect` it is `failed` at once.
 * - `closed`.
 *
 * Every connection is a client of its own; what an older one still has to say is not heard. `#enter` changes the state.
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
  #generation = 0;
  #endBackoff: () => void = () => {};
  #cancelAttempt: () => void = () => {};

  /** @param prepare subscribes a new client to all there is, before it is told as connected */
  constructor(settings: LinkSettings, logger: Logger, prepare: (client: RedisClient) => Promise<unknown>) {
    this.#settings = settings;
    this.#logger = logger;
    this.#prepare = prepare;
    this.#status = new Emitter((err) => logger.error({ err }, 'A listener of the link threw.'));
  }

  /** The client to give commands to. @throws TickbusError `TICKBUS_NOT_CONNECTED` or `TICKBUS_CLOSED` */
  get client(): RedisClient {
    if (this.#state === 'closed') throw closedError();
    if (this.#client === undefined || this.#state !== 'connected') throw notConnectedError(this.#settings);
    return this.#client;
  }

  async connect(): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state === 'disconnected') throw notConnectedError(this.#settings);
    this.#connecting ??= this.#connectFirst();
    await this.#connecting;
  }

  /** Something came in over the link. */
  recordActivity(): void {
    this.#watchdog?.recordActivity();
  }

  /** What came over this connection cannot be relied on: it is closed, and another one is made. */
  dropConnection(client: RedisClient, error: unknown): void {
    if (client === this.#client && this.#state === 'connected') this.#lose(linkError(error, this.#settings));
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
    this.#cancelAttempt();
    client?.destroy();
  }

  async #connectFirst(): Promise<void> {
    this.#enter('connecting', { type: 'connecting' });
    try {
      await this.#open(this.#settings.connectTimeoutMs);
    } catch (error) {
      if (this.#isClosed()) throw closedError();
      const failure = connectError(error, this.#settings);
      this.#fail(failure);
      throw failure;
    }
  }

  /** Makes a client and brings it up; on failure nothing of it is left. */
  async #open(timeoutMs: number): Promise<void> {
    const client = createRedisClient(this.#settings);
    this.#client = client;
    client.on('error', (error: unknown) => this.#onError(client, error));
    await this.#withTimeout(this.#establish(client), client, timeoutMs);
    this.#watchdog = new LinkWatchdog({
      ping: () => client.ping(),
      onStale: (silentForMs) => this.#onStale(client, silentForMs),
    });
    this.#logger.debug(this.#logFields(), 'Connected to Redis.');
    this.#enter('connected', { type: 'connected', generation: ++this.#generation });
  }

  async #establish(client: RedisClient): Promise<void> {
    await client.connect();
    await this.#prepare(client);
    if (!client.isReady) throw new Error('The connection was closed at once.');
  }

  /**
   * The client's own time limit ends with the TCP connection, and one that is destroyed before that may still come up, or hang
   * in its handshake: so it is not waited for beyond our limit, and destroyed once more if it comes up after all.
   */
  async #withTimeout(up: Promise<void>, client: RedisClient, ms: number): Promise<void> {
    const givenUp = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new ConnectionTimeoutError()), ms);
      this.#cancelAttempt = () => reject(closedError());
      up.finally(() => clearTimeout(timer)).catch(() => {});
    });
    try {
      await Promise.race([up, givenUp]);
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
    if (!this.#isClosed()) this.#lose(silentError(silentForMs, this.#settings));
  }

  /** The link has dropped, or cannot be trusted any more: an error on one that is still up came from its decoder. */
  #lose(error: TickbusError): void {
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
        const failure = linkError(error, this.#settings);
        if (isPermanent(error) && ++refusals === MAX_REFUSALS) return this.#fail(failure);
        this.#logger.debug({ ...this.#logFields(failure), attempt }, 'Not reconnected yet.');
      }
    }
  }

  #fail(error: TickbusError): void {
    this.#detachClient();
    this.#connecting = undefined;
    this.#logger.error(this.#logFields(error), error.message);
    this.#enter('failed', { type: 'failed', error });
  }

  #detachClient(): RedisClient | undefined {
    const client = this.#client;
    this.#client = undefined;
    this.#watchdog?.stop();
    return client;
  }

  /** Holds the process, which is there to be connected. */
  #backOff(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endBackoff = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** A listener, or whatever happened while we waited, may have closed it. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #enter(state: 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed', status: LinkStatus): void {
    this.#state = state;
    this.#status.emit('status', status);
  }

  #logFields(error?: TickbusError): object {
    const { name } = this.#settings;
    const link = { redis: formatAddress(this.#settings), link: name };
    return error === undefined ? link : { ...link, code: error.code };
  }
}

function closedError(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Make a new one.');
}
