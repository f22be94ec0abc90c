// The error of a value that is not proved to be fresh.

import { TickbusError } from '../errors.ts';
import type { Verdict } from './verdict.ts';

/** Thrown by `requireFresh`, with code `TICKBUS_STALE_DATA`. Ages in whole milliseconds; Infinity if unknown. */
export class StaleDataError extends TickbusError {
  readonly channel: string;
  readonly key: string;
  readonly verdict: Exclude<Verdict, 'fresh'>;
  readonly changedAgoMs: number;
  readonly confirmedAgoMs: number;

  constructor(
    text: string,
    facts: Pick<StaleDataError, 'channel' | 'key' | 'verdict' | 'changedAgoMs' | 'confirmedAgoMs'>,
  ) {
    super('TICKBUS_STALE_DATA', text);
    this.name = 'StaleDataError';
    this.channel = facts.channel;
    this.key = facts.key;
    this.verdict = facts.verdict;
    this.changedAgoMs = facts.changedAgoMs;
    this.confirmedAgoMs = facts.confirmedAgoMs;
  }

  /** An age of Infinity is null in JSON. */
  override toJSON(): object {
    const { channel, key, verdict, changedAgoMs, confirmedAgoMs } = this;
    return { ...super.toJSON(), channel, key, verdict, changedAgoMs, confirmedAgoMs };
  }
}
