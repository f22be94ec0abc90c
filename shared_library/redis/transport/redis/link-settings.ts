// The validated settings of a link to Redis.

import type { RedisAddress } from './address.ts';

export interface LinkSettings extends RedisAddress {
  /** Whether a dropped link reconnects. */
  readonly reconnect: boolean;
  /** Milliseconds after which the first connection, including the handshake, times out. */
  readonly connectTimeoutMs: number;
  /** The name of the link in `CLIENT LIST`. */
  readonly name: string;
}
