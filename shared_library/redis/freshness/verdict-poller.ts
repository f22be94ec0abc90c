// Detects changes of verdicts, also while no message arrives: polls all keys every 100 ms while there is a listener.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Verdict } from './verdict.ts';

/** The verdict on one key has changed. */
export interface VerdictChange {
  readonly channel: string;
  readonly key: string;
  readonly verdict: Verdict;
  /** The previous verdict; undefined if this is the first. */
  readonly was: Verdict | undefined;
  readonly reason: string;
  readonly changedAgoMs: number;
  readonly confirmedAgoMs: number;
}

export interface VerdictPollerOptions {
  readonly clock: Clock;
  /** The present verdict on every key. */
  readonly verdicts: () => Iterable<Omit<VerdictChange, 'was'>>;
  readonly onChange: (change: VerdictChange) => void;
}

/** Milliseconds between two polls. */
const INTERVAL_MS = 100;

export class VerdictPoller {
  readonly #options: VerdictPollerOptions;
  readonly #verdicts = new Map<string, Verdict>();
  #listeners = 0;
  #cancelTimer: Unsubscribe = () => {};

  constructor(options: VerdictPollerOptions) {
    this.#options = options;
  }

  /** Adds a listener; returns a function that removes it. Polling stops without listeners. */
  listen(): Unsubscribe {
    if (this.#listeners++ === 0) this.#schedulePoll();
    let isListening = true;
    return () => {
      if (isListening && --this.#listeners === 0) this.#stopPolling();
      isListening = false;
    };
  }

  /** Polls once more, so that the final verdicts are reported, and stops. */
  close(): void {
    if (this.#listeners > 0) this.#poll();
    this.#listeners = 0;
    this.#stopPolling();
  }

  #poll(): void {
    const { verdicts, onChange } = this.#options;
    const changes: VerdictChange[] = [];
    let count = 0;
    for (const current of verdicts()) {
      count++;
      const id = idOf(current);
      const was = this.#verdicts.get(id);
      if (was === current.verdict) continue;
      this.#verdicts.set(id, current.verdict);
      changes.push({ ...current, was });
    }
    if (this.#verdicts.size > count) this.#forgetOthers(new Set(Array.from(verdicts(), idOf)));
    // Reported after the iteration, because a listener may subscribe, unsubscribe or close.
    for (const change of changes) onChange(change);
  }

  /** Forgets keys that were evicted or are no longer subscribed to, which would otherwise accumulate. */
  #forgetOthers(present: ReadonlySet<string>): void {
    for (const id of this.#verdicts.keys()) if (!present.has(id)) this.#verdicts.delete(id);
  }

  #schedulePoll(): void {
    this.#cancelTimer = this.#options.clock.after(INTERVAL_MS, () => {
      this.#poll();
      if (this.#listeners > 0) this.#schedulePoll();
    });
  }

  #stopPolling(): void {
    this.#cancelTimer();
    this.#verdicts.clear();
  }
}

function idOf({ channel, key }: Pick<VerdictChange, 'channel' | 'key'>): string {
  return `${channel}\n${key}`;
}
