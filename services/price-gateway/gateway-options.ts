// The options of a gateway and their defaults.

import { hostname } from 'node:os';
import {
  type Clock,
  type Connection,
  type Logger,
  MAX_CHANNEL_KEYS,
  type PriceChannel,
  systemClock,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Feed } from './feeds/feed.ts';
import type { SessionTimes } from './session/session-times.ts';

export interface GatewayOptions extends Partial<SessionTimes> {
  /** Creates the feed. Called at the start, so that errors show early, and again for each further active session. */
  readonly createFeed: () => Promise<Feed>;
  /** The channel to publish on, `priceChannel('kraken')` for a second venue. Default PRICE_DATA. */
  readonly channel?: PriceChannel;
  /** The connection to Redis. The gateway does not close it. */
  readonly connection: Connection;
  /** A pino logger can be passed as is. */
  readonly logger: Logger;
  /** Instruments to request even if no bot requests them; `*` for all. Default none. */
  readonly symbols?: readonly string[];
  /** Maximum number of instruments to request from the broker. Default: the broker's own limit. */
  readonly symbolLimit?: number;
  /** Milliseconds an instrument stays requested after no bot requests it any more. Default 30,000. */
  readonly symbolGraceMs?: number;
  /**
   * Maximum number of instruments that bots can request. Default and maximum: 50,000 (`MAX_CHANNEL_KEYS`) less the
   * number of `symbols`.
   */
  readonly demandLimit?: number;
  /** Milliseconds between two reads of the symbols that subscribers request. Default 500. */
  readonly demandIntervalMs?: number;
  /** Milliseconds without a renewal after which the lease expires and the standby takes over. Default 3,000. */
  readonly leaseTtlMs?: number;
  /** Number of replicas that must confirm the lease: see `RedisLease`. Default 1 behind Redis Sentinel, else 0. */
  readonly leaseReplicas?: number;
  /**
   * Whose trades to publish on TRADES: of the instruments that subscribers request there (`requested`), of all that the
   * gateway requests from the broker, or none (`off`). Default `requested`.
   */
  readonly trades?: 'requested' | 'all' | 'off';
  /** The number of partitions that the gateway gives its channel. Default: the number that it has. */
  readonly partitions?: number;
  /** Maximum connection attempts of all gateways together in `connectWindowMs`. Default 10. */
  readonly connectLimit?: number;
  /** Window of `connectLimit`, milliseconds. Default 60,000. */
  readonly connectWindowMs?: number;
  /** The clock that timestamps the published messages. Default: the system clock. */
  readonly clock?: Clock;
  /** The gateway's name in FEED_STATUS. Default: host name and process id. */
  readonly holder?: string;
}

export type CompleteOptions = GatewayOptions & SessionTimes & typeof DEFAULTS & { readonly holder: string };

export function completeOptions(options: GatewayOptions): CompleteOptions {
  const statusIntervalMs = (options.leaseTtlMs ?? DEFAULTS.leaseTtlMs) * HEARTBEAT_PER_TTL;
  return { ...DEFAULTS, statusIntervalMs, holder: `${hostname()}-${process.pid}`, ...options };
}

/**
 * Heartbeat interval as a fraction of `leaseTtlMs`. Bots detect a dead gateway after three missed heartbeats, which is
 * half of `leaseTtlMs`, so before the standby takes over.
 */
const HEARTBEAT_PER_TTL = 1 / 6;
const DEFAULTS = {
  clock: systemClock,
  channel: CHANNELS.PRICE_DATA as PriceChannel,
  symbols: [] as readonly string[],
  symbolLimit: Number.POSITIVE_INFINITY,
  symbolGraceMs: 30_000,
  demandLimit: MAX_CHANNEL_KEYS,
  demandIntervalMs: 500,
  trades: 'requested' as 'requested' | 'all' | 'off',
  leaseTtlMs: 3_000,
  connectLimit: 10,
  connectWindowMs: 60_000,
  silentAfterMs: 15_000,
  reconnectSilentMs: 60_000,
  brokerReleaseMs: 0,
  retryMs: 1_000,
  maxRetryMs: 30_000,
};
