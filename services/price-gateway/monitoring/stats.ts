// What a gateway counts from its start to its end, over all the times it was the active one.

import type { FeedStatus } from 'tickbus';
import type { DropReason } from '../prices/price-book.ts';

/** What a gateway is at the moment; see `PriceGateway`. */
export type Role = 'starting' | 'standby' | 'active' | 'stopping' | 'stopped';

export interface GatewayStats {
  readonly role: Role;
  /** Times it became the active one. */
  readonly takeOvers: number;
  /** Connections to the broker that were tried. */
  readonly attempts: number;
  /** Frames that came from the broker. */
  readonly frames: number;
  /** Frames that could not be read. */
  readonly invalidFrames: number;
  /** Trades and quotes in the frames. */
  readonly events: number;
  /** Prices that the server has published. */
  readonly published: number;
  /** Events that gave no price, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Publishes of a price or a status that did not succeed, by error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Ends of a connection to the broker, by the broker's error code; `none` where it gave none. */
  readonly brokerErrors: Readonly<Record<string, number>>;
  /** Instruments that are asked for now. */
  readonly wanted: number;
  /** Those of them that the broker does not give. */
  readonly refused: number;
  /** Milliseconds since the broker's last frame; undefined before the first, and on standby. */
  readonly quietForMs: number | undefined;
  /** What is told of the feed on FEED_STATUS; undefined on standby. */
  readonly feed: FeedStatus | undefined;
}

/** The numbers that only grow. */
export class Counters {
  takeOvers = 0;
  attempts = 0;
  frames = 0;
  invalidFrames = 0;
  events = 0;
  published = 0;
  readonly dropped: Record<DropReason, number> = { invalid: 0, unpriced: 0 };
  readonly failures: Record<string, number> = {};
  readonly brokerErrors: Record<string, number> = {};

  countFailure(code: string): void {
    this.failures[code] = (this.failures[code] ?? 0) + 1;
  }

  countBrokerError(code: number | string | undefined): void {
    const name = String(code ?? 'none');
    this.brokerErrors[name] = (this.brokerErrors[name] ?? 0) + 1;
  }
}
