// The data of one channel on the in-memory server.

import { ORIGIN, type Position } from '../../wire/position.ts';
import type { EarlierPublish, FenceToken } from '../port.ts';
import type { LastValue } from './adoption.ts';
import { MemoryHistory } from './history.ts';

/** A lease. During a hold-off `nobody` holds it, so that no candidate can acquire it. */
export interface ServerLease {
  readonly token: FenceToken | 'nobody';
  expiresAt: number;
}

/** The data that Redis would store for one channel. */
export interface ServerChannel {
  head: Position;
  /** The last token granted; 0 if there is no record of any. */
  token: FenceToken;
  lease: ServerLease | undefined;
  /** When the last lease was acquired, Unix milliseconds by the server's clock. */
  leasedAt: number;
  /** Whether the last lease was released; true if there was none. */
  isReleased: boolean;
  /** The recorded number of partitions. */
  partitions: number | undefined;
  /** The recorded definition. */
  definition: string | undefined;
  /** The latest complaint about it. */
  conflict: string | undefined;
  readonly last: Map<string, LastValue>;
  readonly history: MemoryHistory;
  readonly ids: Map<string, { readonly published: EarlierPublish; readonly until: number }>;
  /** Demand entries, with their expiry by the monotonic clock. */
  readonly demand: Map<string, number>;
  /** The value says whether the listener is named. */
  readonly listeners: Map<(frame: Uint8Array) => void, boolean>;
}

export function emptyChannel(): ServerChannel {
  return {
    head: ORIGIN,
    token: 0,
    leasedAt: 0,
    isReleased: true,
    lease: undefined,
    partitions: undefined,
    definition: undefined,
    conflict: undefined,
    last: new Map(),
    history: new MemoryHistory(),
    ids: new Map(),
    demand: new Map(),
    listeners: new Map(),
  };
}
