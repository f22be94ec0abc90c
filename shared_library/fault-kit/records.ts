// The records of a run: what publishers know and what handlers received. Plain data, so that other processes can send
// it.

import type { Gap, Position } from 'tickbus';

/** One message, as its publisher knows it. */
export interface SentRecord {
  /** The number in the ledger; `data.n` on the wire. */
  readonly n: number;
  readonly channel: string;
  readonly key: string | undefined;
  /**
   * - `accepted`: the publish resolved.
   * - `refused`: the publish rejected, and the message was not published.
   * - `unknown`: the message may have been published.
   * - `pending`: the publish has not settled.
   */
  outcome: 'pending' | 'accepted' | 'refused' | 'unknown';
  /** Position of an accepted message; undefined on a `plain` channel. */
  position: Position | undefined;
}

/** One message, as a handler received it. */
export interface HandledRecord {
  readonly n: number;
  readonly position: Position | undefined;
  readonly key: string | undefined;
  readonly conflated: number;
  readonly snapshot: boolean;
}

/** The whole history of one handler. */
export interface HandlerHistory {
  readonly name: string;
  readonly channel: string;
  readonly kind: 'state' | 'event' | 'command' | 'plain';
  /** Only messages of these keys are expected; undefined: all. */
  readonly keys: readonly string[] | undefined;
  /** Whether the handler may have gaps of cause `overflow`. False for a fast handler beside a slow one. */
  readonly mayOverflow: boolean;
  /** Index in the ledger of the first expected message; undefined: no message is expected. */
  from: number | undefined;
  /** Position of the last expected message; undefined: no end. */
  until: Position | undefined;
  readonly seen: HandledRecord[];
  readonly gaps: Gap[];
  /** Commands reported as expired instead of being handled. */
  readonly expired: HandledRecord[];
}
