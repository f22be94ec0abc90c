// Everything a link to Redis needs to know, complete and checked.

import type { RedisAddress } from './address.ts';

export interface LinkSettings extends RedisAddress {
  /** Re-establish an established link that drops. */
  readonly reconnect: boolean;
  /** Milliseconds until the first connection, handshake included, is given up. */
  readonly connectTimeoutMs: number;
  /** How the links are called in `CLIENT LIST`. */
  readonly name: string;
}

/** Host and port as people write it; never the credentials. */
export function formatAddress({ host, port, tls }: RedisAddress): string {
  return `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
