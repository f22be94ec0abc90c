// A gateway's statistics since its start, over all active sessions.

import type { FeedStatus } from 'tickbus';
import { printable } from 'tickbus/admin';
import type { PriceDropReason } from '../prices/price-book.ts';
import { noTrades, type TradeCounts } from '../trades/trade-counts.ts';

/** Why an event yielded no price. `unrequested`: nobody requests the instrument. */
export type DropReason = PriceDropReason | 'unrequested';

/** The gateway's current role; see `PriceGateway`. */
export type Role = 'starting' | 'standby' | 'active' | 'stopping' | 'stopped';

export interface GatewayStats {
  /** The channel that the gateway publishes on. */
  readonly channel: string;
  readonly role: Role;
  /** Times the gateway became active. */
  readonly takeOvers: number;
  /** Connection attempts to the broker. */
  readonly attempts: number;
  /** Frames received from the broker. */
  readonly frames: number;
  /** Frames that were not understood. */
  readonly invalidFrames: number;
  /** Trades, quotes and other events of requested instruments in the frames. */
  readonly events: number;
  /** Prices published to Redis. */
  readonly published: number;
  /** What became of the trades, corrections and cancels for TRADES. */
  readonly trades: Readonly<TradeCounts>;
  /** Trades that wait to be published, for example until the lease of TRADES is held. */
  readonly tradesWaiting: number;
  /** Events that yielded no price, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Failed publishes of a price or a status, by error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Ended broker connections, by the broker's error code; `none` without a code, `other` beyond 100 codes. */
  readonly brokerErrors: Readonly<Record<string, number>>;
  /** Requested instruments. */
  readonly wanted: number;
  /** Requested instruments that are not served. */
  readonly refused: number;
  /** Symbols that bots request beyond the gateway's limit. They are not served. */
  readonly leftOut: number;
  /** Milliseconds since the broker's last frame; undefined before the first, and on standby. */
  readonly quietForMs: number | undefined;
  /** The feed's status as published on FEED_STATUS; undefined on standby. */
  readonly feed: FeedStatus | undefined;
}

/** Maximum number of codes that are counted separately: a broker can send any number of different codes. */
const MAX_BROKER_CODES = 100;

/** Longer codes of a broker are truncated, because each code becomes a label value of a metric. */
const MAX_CODE_LENGTH = 64;

/** The statistics that only increase. */
export class Counters {
  takeOvers = 0;
  attempts = 0;
  frames = 0;
  invalidFrames = 0;
  events = 0;
  published = 0;
  readonly trades = noTrades();
  readonly dropped: Record<DropReason, number> = {
    invalid: 0,
    late: 0,
    excluded: 0,
    unchanged: 0,
    unmatched: 0,
    unpriced: 0,
    limit: 0,
    unrequested: 0,
  };
  readonly failures: Record<string, number> = {};
  readonly brokerErrors: Record<string, number> = {};

  countFailure(code: string): void {
    this.failures[code] = (this.failures[code] ?? 0) + 1;
  }

  countBrokerError(code: number | string | undefined): void {
    const known = printable(String(code ?? 'none'), MAX_CODE_LENGTH);
    const isFull = Object.keys(this.brokerErrors).length >= MAX_BROKER_CODES;
    const name = isFull && !Object.hasOwn(this.brokerErrors, known) ? 'other' : known;
    this.brokerErrors[name] = (this.brokerErrors[name] ?? 0) + 1;
  }
}
