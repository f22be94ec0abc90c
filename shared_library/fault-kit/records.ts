// What is written down of a run: what publishers were told, and what each handler saw and was told. Plain data, so that it can come
// from another process.

import type { Gap, Position } from 'tickbus';

/** One message, as its publisher knows it. `data.n` on the wire is its number in the ledger. */
export interface SentRecord {
  readonly n: number;
  readonly channel: string;
  readonly key: string | undefined;
  /**
   * - `accepted`: the publish resolved. - `refused`: it rejected as not published. - `unknown`: it may have been published.
   * - `pending`: it has not settled.
   */
  outcome: 'pending' | 'accepted' | 'refused' | 'unknown';
  /** Where an accepted message stands; undefined on a `plain` channel. */
  position: Position | undefined;
}

/** One message, as a handler saw it. */
export interface HandledRecord {
  readonly n: number;
  readonly position: Position | undefined;
  readonly key: string | undefined;
  readonly conflated: number;
  readonly snapshot: boolean;
}

/** One handler's whole history. */
export interface HandlerHistory {
  readonly name: string;
  readonly channel: string;
  readonly kind: 'state' | 'event' | 'command' | 'plain';
  /** Only messages of these keys are expected; undefined: all. */
  readonly keys: readonly string[] | undefined;
  /** Whether gaps of cause `overflow` may be its own. False for a fast handler beside a slow one. */
  readonly mayOverflow: boolean;
  /** Everything whose publish was called from this place of the ledger on is expected; undefined: nothing is. */
  from: number | undefined;
  /** Nothing behind this place is expected: the handler was taken away there. */
  until: Position | undefined;
  readonly seen: HandledRecord[];
  readonly gaps: Gap[];
  /** Commands that were told as expired instead of being handled. */
  readonly expired: HandledRecord[];
}
