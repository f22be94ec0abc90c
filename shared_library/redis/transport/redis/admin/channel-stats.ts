// What the inspector reports of a channel, and of the clock of the server.

import type { Position } from '../../../wire/position.ts';

/** The statistics of a channel. */
export interface ChannelStats {
  readonly channel: string;
  /** Number of connections subscribed to it by name. */
  readonly subscribers: number;
  /** Its latest position; undefined if tickbus has not published on it, or its messages are not numbered. */
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
