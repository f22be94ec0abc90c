// What the inspector reports of a channel, and of the clock of the server.

import type { Position } from '../../../wire/position.ts';

/** The statistics of a channel. */
export interface ChannelStats {
  readonly channel: string;
  /** Number of connections subscribed to it by name; with partitions, to the one of them that has the most. */
  readonly subscribers: number;
  /** The recorded number of partitions, if above 1. The statistics of a channel are those of all its partitions. */
  readonly partitions?: number | undefined;
  /**
   * Its latest position; undefined if tickbus has not published on it, its messages are not numbered, or it has
   * partitions, each of which has a position of its own.
   */
  readonly position: Position | undefined;
  /** Number of stored last values (kind `state`). */
  readonly keys: number;
  /** Number of stored past messages (kind `event`). */
  readonly history: number;
  /**
   * The current lease, if any. `fence` is how the holder keeps others out. `connection`: the holder disconnected all
   * other writers. `token`: every publish checks that its token is the one of the lease.
   */
  readonly lease:
    | { readonly token: number; readonly expiresInMs: number; readonly fence: 'connection' | 'token' }
    | undefined;
  /** The definition that its last writer has recorded, such as `kind=state key=symbol by=alpaca`; undefined: none. */
  readonly definition?: string | undefined;
  /** Why the channel cannot be used, as sentences: another program has written to its keys. Undefined if it can. */
  readonly fault?: string | undefined;
}

/** Clock offset and round-trip times of the server, in milliseconds. */
export interface ClockReport {
  /** Server time minus local time, by the fastest reply. */
  readonly offsetMs: number;
  /** Maximum error of the offset: half the round trip of that reply. */
  readonly errorMs: number;
  /** Round-trip times of all requests, in order. */
  readonly roundTripsMs: readonly number[];
}

/** @param readTime reads the server's time: seconds and microseconds */
export async function measureClock(
  samples: number,
  readTime: () => Promise<readonly string[]>,
): Promise<ClockReport> {
  let best = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
  const roundTripsMs: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const sentAt = performance.now();
    const time = await readTime();
    const receivedAt = performance.now();
    const [seconds, microseconds] = time.map(Number);
    const serverMs = (seconds ?? 0) * 1000 + (microseconds ?? 0) / 1000;
    const ourMs = performance.timeOrigin + (sentAt + receivedAt) / 2;
    const errorMs = (receivedAt - sentAt) / 2;
    roundTripsMs.push(receivedAt - sentAt);
    if (errorMs < best.errorMs) best = { offsetMs: serverMs - ourMs, errorMs };
  }
  return { ...best, roundTripsMs };
}
