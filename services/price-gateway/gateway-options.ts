// What a gateway can be told, and what it does when it is not.

import { hostname } from 'node:os';
import { type Clock, type Connection, type Logger, systemClock } from 'tickbus';
import type { Feed } from './feeds/feed.ts';
import type { SessionTimes } from './session/active-session.ts';

export interface GatewayOptions extends Partial<SessionTimes> {
  /** Makes the feed; called once for each time of being active, and once at the start, so that what cannot be made is known then. */
  readonly createFeed: () => Promise<Feed>;
  /** Not closed by the gateway. */
  readonly connection: Connection;
  /** pino fits as it is. */
  readonly logger: Logger;
  /** Instruments to ask the broker for whether or not a bot does; `*` for all. Default none. */
  readonly symbols?: readonly string[];
  /** The most instruments to ask the broker for. Default no limit but the broker's. */
  readonly symbolLimit?: number;
  /** Milliseconds an instrument is kept after the last bot that asked for it has gone. Default 30,000. */
  readonly symbolGraceMs?: number;
  /** Milliseconds between two looks at what bots ask for. Default 500. */
  readonly demandIntervalMs?: number;
  /** Milliseconds after which a gateway that is not heard of is replaced. Default 3,000. */
  readonly leaseTtlMs?: number;
  /** Connections to the broker that all gateways together may try in `connectWindowMs`. Default 10. */
  readonly connectLimit?: number;
  /** Milliseconds. Default 60,000. */
  readonly connectWindowMs?: number;
  /** The time that prices are stamped with. Default: the system's. */
  readonly clock?: Clock;
  /** Who it is, in FEED_STATUS. Default: host name and process number. */
  readonly holder?: string;
}

export type CompleteOptions = GatewayOptions & SessionTimes & typeof DEFAULTS & { readonly holder: string };

export function completeOptions(options: GatewayOptions): CompleteOptions {
  const statusIntervalMs = (options.leaseTtlMs ?? DEFAULTS.leaseTtlMs) * HEARTBEAT_PER_TTL;
  return { ...DEFAULTS, statusIntervalMs, holder: `${hostname()}-${process.pid}`, ...options };
}

/** A dead gateway is told apart after three heartbeats: half a lease, so before anybody takes over. */
const HEARTBEAT_PER_TTL = 1 / 6;
const DEFAULTS = {
  clock: systemClock,
  symbols: [] as readonly string[],
  symbolLimit: Number.POSITIVE_INFINITY,
  symbolGraceMs: 30_000,
  demandIntervalMs: 500,
  leaseTtlMs: 3_000,
  connectLimit: 10,
  connectWindowMs: 60_000,
  silentAfterMs: 15_000,
  reconnectSilentMs: 60_000,
  brokerReleaseMs: 0,
  retryMs: 1_000,
  maxRetryMs: 30_000,
};
