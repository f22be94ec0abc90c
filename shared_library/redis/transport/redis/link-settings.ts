// The validated settings of a link to Redis.

import type { Unsubscribe } from '../../runtime/emitter.ts';
import type { Place, RedisAddress } from './address.ts';
import type { RedisClient } from './client.ts';

export interface LinkSettings extends RedisAddress {
  /** Whether a dropped link reconnects. */
  readonly reconnect: boolean;
  /** Milliseconds after which the first connection, including the handshake, times out. */
  readonly connectTimeoutMs: number;
  /** The name of the link in `CLIENT LIST`. */
  readonly name: string;
  /** The prefix of all names on the server. */
  readonly namespace?: string | undefined;
  /** Default: the server is always at `host` and `port`. */
  readonly locator?: ServerLocator | undefined;
  /** Whether channels are sharded pub/sub channels, as on a cluster. Default false. */
  readonly isSharded?: boolean;
}

/** Finds a server that can move to another place. */
export interface ServerLocator {
  /** The place of the server now. Called before each attempt to connect. Rejects if nobody knows it. */
  locate(): Promise<Place>;
  /** Checks a new connection before it is used. Rejects if it leads to another server than the one that is wanted. */
  verify(client: RedisClient): Promise<void>;
  /**
   * Calls `moveTo` of the link when the server moves, until the returned function is called. A link calls it before it
   * connects for the first time, and ends it when it closes or fails.
   */
  watch?(link: MovableLink): Unsubscribe;
  /** Checks now instead of at the next interval. Resolves when links have been moved, and never rejects. */
  recheck?(): Promise<void>;
}

/** A link that can change to another server. */
export interface MovableLink {
  moveTo(place: Place): void;
}
