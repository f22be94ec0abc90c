// The replies and requests of the API beside the event stream. All times are Unix milliseconds unless stated otherwise.

import type { Verdict } from 'tickbus';

export interface Candle {
  /** Start of the candle, in Unix seconds. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

/** Latency of one part of a price's path, in milliseconds. */
export interface Hop {
  readonly name: 'broker to gateway' | 'gateway to Redis' | 'Redis to monitor';
  readonly last: number;
  readonly p50: number;
  readonly p99: number;
}

/** `GET /api/instruments/:symbol`. */
export interface InstrumentDetails {
  readonly symbol: string;
  readonly verdict: Verdict;
  /** Explanation of the verdict, in one sentence. */
  readonly reason: string;
  readonly candleSeconds: number;
  readonly candles: readonly Candle[];
  /** Empty before the first live price. */
  readonly hops: readonly Hop[];
}

export interface TailMessage {
  /** Ascending within one stream. */
  readonly n: number;
  readonly at: number;
  readonly channel: string;
  readonly type: string;
  readonly sender: string;
  readonly seq?: number;
  readonly snapshot?: true;
  /** The payload as JSON, truncated if long. */
  readonly data: string;
}

/** `GET /api/tail`: at most one batch per frame; no batch while no message matches the filter. */
export interface TailBatch {
  readonly messages: readonly TailMessage[];
  /** Matching messages that were dropped, because there were more than a person can read. */
  readonly skipped: number;
}

/** `POST /api/commands`. */
export interface CommandRequest {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface CommandResponse {
  /** The result, or the reason for the rejection, in one or two sentences. */
  readonly message: string;
  readonly id?: string;
}
