// The pace of what is sent to browsers: so many frames a second, whatever the rate of messages.

import type { DashboardState } from './model/dashboard-state.ts';
import { preciseNow } from './model/precise-now.ts';

export interface PageFrame {
  readonly number: number;
  /** JSON of a Delta: what has changed since the frame before. */
  readonly delta: string;
  /** JSON of a Snapshot, made once a frame and only when somebody needs it. */
  snapshot(): string;
}

/** Five frames a second. */
const FRAME_MS = 200;
const RATES_INTERVAL_MS = 1_000;

/**
 * Nothing is kept for a browser that does not keep up: it takes the next frame when it is ready for it, and when that is not the one
 * after its last, it gets a snapshot.
 */
export class PageFrames {
  readonly #state: DashboardState;
  readonly #timer: NodeJS.Timeout;
  #waiting: ((frame: PageFrame | undefined) => void)[] = [];
  #ratesUpdatedAt = performance.now();
  #isClosed = false;

  constructor(picture: DashboardState) {
    this.#state = picture;
    this.#timer = setInterval(() => this.#tick(), FRAME_MS);
  }

  /** The next frame; undefined when there will be none. */
  next(): Promise<PageFrame | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #tick(): void {
    const elapsed = performance.now() - this.#ratesUpdatedAt;
    // Half a frame early rather than half a frame late.
    if (elapsed >= RATES_INTERVAL_MS - FRAME_MS / 2) {
      this.#state.updateRates(elapsed / RATES_INTERVAL_MS);
      this.#ratesUpdatedAt += elapsed;
    }
    this.#state.update(preciseNow());
    const delta = this.#state.takeDelta();
    if (this.#waiting.length === 0) return;
    let snapshot: string | undefined;
    const frame: PageFrame = {
      number: delta.frame,
      delta: JSON.stringify(delta),
      snapshot: () => {
        snapshot ??= JSON.stringify(this.#state.snapshot());
        return snapshot;
      },
    };
    for (const resolve of this.#waiting.splice(0)) resolve(frame);
  }
}
