// Notices that this process does not keep up: its event loop was blocked, or a handler lets messages wait.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Slow } from './status.ts';

/** What is looked at: one for each channel that is subscribed to. */
export interface Watched {
  readonly channel: string;
  /** Milliseconds that the oldest message has been waiting for its handler; 0 when none waits. */
  readonly behindMs: number;
}

export interface LagMonitorOptions {
  readonly clock: Clock;
  readonly watched: () => Iterable<Watched>;
  readonly onSlow: (slow: Slow) => void;
}

/** Milliseconds between two looks. */
const LOOK_MS = 1_000;
/** Milliseconds behind that are told. */
const SLOW_MS = 1_000;

/**
 * Looks once a second. A look that comes late says that the event loop was blocked, which is told for every channel; a handler
 * that is behind is told once, and again only after it has caught up.
 */
export class LagMonitor {
  readonly #options: LagMonitorOptions;
  readonly #slow = new Set<string>();
  #stop: Unsubscribe = () => {};

  constructor(options: LagMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + LOOK_MS;
    this.#stop = clock.after(LOOK_MS, () => {
      this.#look(Math.round(clock.monotonic() - dueAt));
      this.start();
    });
  }

  stop(): void {
    this.#stop();
  }

  #look(lateMs: number): void {
    for (const { channel, behindMs } of this.#options.watched()) {
      if (lateMs >= SLOW_MS) this.#tell(channel, 'blocked', lateMs);
      if (behindMs < SLOW_MS) this.#slow.delete(channel);
      else if (!this.#slow.has(channel)) {
        this.#slow.add(channel);
        this.#tell(channel, 'handler', Math.round(behindMs));
      }
    }
  }

  #tell(channel: string, cause: Slow['cause'], behindMs: number): void {
    this.#options.onSlow({ type: 'slow', channel, cause, behindMs });
  }
}
