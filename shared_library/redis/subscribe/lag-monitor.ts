// Detects that this process does not keep up: its event loop was blocked, or messages wait too long for a handler.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Slow } from './status.ts';

export interface ChannelLag {
  readonly channel: string;
  /** Milliseconds that the oldest message has been waiting for its handler; 0 if none waits. */
  readonly behindMs: number;
}

export interface LagMonitorOptions {
  readonly clock: Clock;
  /** The present lag of each channel. */
  readonly channels: () => Iterable<ChannelLag>;
  readonly onSlow: (slow: Slow) => void;
}

/** Milliseconds between two checks. */
const INTERVAL_MS = 1_000;
/** A lag of at least this many milliseconds is reported. */
const THRESHOLD_MS = 1_000;

/**
 * Checks once a second. A late check proves that the event loop was blocked, which is reported for every channel. A
 * handler that is behind is reported once, and again only after it has caught up.
 */
export class LagMonitor {
  readonly #options: LagMonitorOptions;
  readonly #slow = new Set<string>();
  #cancelTimer: Unsubscribe = () => {};

  constructor(options: LagMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + INTERVAL_MS;
    this.#cancelTimer = clock.after(INTERVAL_MS, () => {
      this.#check(Math.round(clock.monotonic() - dueAt));
      this.start();
    });
  }

  stop(): void {
    this.#cancelTimer();
  }

  #check(lateMs: number): void {
    for (const { channel, behindMs } of this.#options.channels()) {
      if (lateMs >= THRESHOLD_MS) this.#report(channel, 'blocked', lateMs);
      if (behindMs < THRESHOLD_MS) this.#slow.delete(channel);
      else if (!this.#slow.has(channel)) {
        this.#slow.add(channel);
        this.#report(channel, 'handler', Math.round(behindMs));
      }
    }
  }

  #report(channel: string, cause: Slow['cause'], behindMs: number): void {
    this.#options.onSlow({ type: 'slow', channel, cause, behindMs });
  }
}
