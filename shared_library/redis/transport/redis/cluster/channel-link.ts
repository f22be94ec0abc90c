// The link of one channel on a cluster. Unlike the link of a single server, it also retries its first connection.

import type { TickbusError } from '../../../errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { LinkStatus } from '../../link-status.ts';
import { isPermanent, notConnectedError } from '../error-mapping.ts';
import type { LinkSettings } from '../link-settings.ts';
import { backoffMs } from '../reconnect-backoff.ts';
import { RedisTransport } from '../redis-transport.ts';
import { ChannelLocator } from './channel-locator.ts';
import type { ClusterTopology } from './cluster-topology.ts';

export interface ChannelLinkOptions {
  readonly channel: string;
  readonly settings: LinkSettings;
  readonly topology: ClusterTopology;
  /** Its methods are functions of their own, as those of `containedLogger`. */
  readonly logger: Logger;
  readonly onStatus: (status: LinkStatus) => void;
}

/**
 * States:
 *
 * - `new`: not used yet.
 * - `retrying`: the first connection failed, and is retried with backoff. Reported as `disconnected`.
 * - `connected`: has been connected. From then on the transport reconnects, and reports its states.
 * - `failed`: a retry is pointless until somebody changes a setting, or `reconnect` is false.
 *
 *     new -> connected;   new -> retrying -> connected;   any -> failed -> connected (`revive`)
 *
 * The first connection is not reported unless an attempt has failed: the connection to the cluster is already reported.
 */
export class ChannelLink {
  readonly transport: RedisTransport;
  readonly #options: ChannelLinkOptions;
  #state: 'new' | 'retrying' | 'connected' | 'failed' = 'new';
  /** Failed attempts since the last connection. */
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChannelLinkOptions) {
    const { channel, settings, topology, logger } = options;
    this.#options = options;
    const locator = new ChannelLocator(channel, topology, settings);
    this.transport = new RedisTransport(
      { ...settings, isSharded: true, locator },
      // Only the first of consecutive failures is logged as an error.
      { ...logger, error: (...line) => logger[this.#failures === 0 ? 'error' : 'debug'](...line) },
    );
    this.transport.onStatus((status) => this.#onStatus(status));
  }

  /** The transport; connects it on first use. @throws TickbusError as `Transport.connect` */
  async ready(): Promise<RedisTransport> {
    if (this.#state === 'retrying') throw notConnectedError(this.#options.settings);
    if (this.#state !== 'connected') await this.transport.connect();
    return this.transport;
  }

  /** Connects at once if the first connection has failed, or the link has failed for good. */
  async revive(): Promise<void> {
    if (this.#state === 'retrying' || this.#state === 'failed') await this.transport.connect();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.transport.close();
  }

  #onStatus(status: LinkStatus): void {
    switch (status.type) {
      case 'connecting':
      case 'closed':
        return;
      case 'failed':
        return this.#onFailed(status.error);
      case 'connected': {
        const isReported = this.#failures > 0 || status.generation > 1;
        this.#state = 'connected';
        this.#failures = 0;
        clearTimeout(this.#timer);
        if (isReported) this.#options.onStatus(status);
        return;
      }
      default:
        this.#options.onStatus(status);
    }
  }

  #onFailed(error: TickbusError): void {
    const { settings, onStatus } = this.#options;
    const isFirst = ++this.#failures === 1;
    const isRetried = settings.reconnect && this.#state !== 'connected' && !isPermanent(error);
    this.#state = isRetried ? 'retrying' : 'failed';
    if (!isRetried) return onStatus({ type: 'failed', error });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        onStatus({ type: 'reconnecting', attempt: this.#failures });
        this.transport.connect().catch(() => {});
      },
      backoffMs(this.#failures + 1),
    );
    if (isFirst) onStatus({ type: 'disconnected', error });
  }
}
