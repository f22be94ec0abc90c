// Tells when a verdict turns, without any message arriving: looks at all keys ten times a second, while somebody listens.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Verdict } from './verdict.ts';

/** The verdict on one key has turned. */
export interface VerdictChange {
  readonly channel: string;
  readonly key: string;
  readonly verdict: Verdict;
  /** undefined when it is the first. */
  readonly was: Verdict | undefined;
  readonly reason: string;
  readonly changedAgoMs: number;
  readonly confirmedAgoMs: number;
}

export interface VerdictPollerOptions {
  readonly clock: Clock;
  /** The verdict on every key. */
  readonly look: () => Iterable<Omit<VerdictChange, 'was'>>;
  readonly onChange: (change: VerdictChange) => void;
}

/** Milliseconds between two looks. */
const LOOK_MS = 100;

export class VerdictPoller {
  readonly #options: VerdictPollerOptions;
  readonly #verdicts = new Map<string, Verdict>();
  #listeners = 0;
  #stop: Unsubscribe = () => {};

  constructor(options: VerdictPollerOptions) {
    this.#options = options;
  }

  /** Somebody listens; returns what is to be called when not any more. */
  listen(): Unsubscribe {
    if (this.#listeners++ === 0) this.#lookLater();
    let isListening = true;
    return () => {
      if (isListening && --this.#listeners === 0) this.#end();
      isListening = false;
    };
  }

  /** Looks once more, so that the last verdict is told, and ends. */
  close(): void {
    if (this.#listeners > 0) this.look();
    this.#listeners = 0;
    this.#end();
  }

  look(): void {
    const { look, onChange } = this.#options;
    const changes: VerdictChange[] = [];
    for (const seen of look()) {
      const id = `${seen.channel}\n${seen.key}`;
      const was = this.#verdicts.get(id);
      if (was === seen.verdict) continue;
      this.#verdicts.set(id, seen.verdict);
      changes.push({ ...seen, was });
    }
    // Afterwards, as a listener may subscribe, unsubscribe or close.
    for (const change of changes) onChange(change);
  }

  #lookLater(): void {
    this.#stop = this.#options.clock.after(LOOK_MS, () => {
      this.look();
      if (this.#listeners > 0) this.#lookLater();
    });
  }

  #end(): void {
    this.#stop();
    this.#verdicts.clear();
  }
}
