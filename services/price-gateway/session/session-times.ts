// The times of a session.

/** All values are milliseconds. */
export interface SessionTimes {
  /** Interval of the status heartbeat. Default: a sixth of `leaseTtlMs`. */
  readonly statusIntervalMs: number;
  /** A live feed without a frame for this long is reported as `silent`. */
  readonly silentAfterMs: number;
  /** A live feed without a frame for this long is reconnected; 0 disables this. */
  readonly reconnectSilentMs: number;
  /** Delay before the first connection, so that the broker can release the connection of a crashed gateway. */
  readonly brokerReleaseMs: number;
  /** Delay before the first retry; doubles with every failure, up to `maxRetryMs`. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}
