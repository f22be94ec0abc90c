// The pace of what is sent to browsers: so many frames a second, whatever the rate of messages.

import type { DashboardState } from './model/dashboard-state.ts';
import { preciseNow } from './model/precise-now.ts';

export interface Frame {
  readonly number: number;
  /** JSON of a Delta: what has changed since the frame before. */
  readonly delta: string;
  /** JSON of a Snapshot, made once a frame and only when somebody needs it. */
  snapshot(): string;
}

/** Five frames a second. */
const FRAME_MS = 200;
const SECOND_MS = 1_000;

/**
 * Nothing is kept for a browser that does not keep up: it takes the next frame when it is ready for it, and when that is not the one
 * after its last, it gets a snapshot.
 */
export class Frames {
  readonly #picture: DashboardState;
  readonly #timer: NodeJS.Timeout;
  #waiting: ((frame: Frame | undefined) => void)[] = [];
  #secondBegan = performance.now();
  #isClosed = false;

  constructor(picture: DashboardState) {
    this.#picture = picture;
    this.#timer = setInterval(() => this.#tick(), FRAME_MS);
  }

  /** The next frame; undefined when there will be none. */
  next(): Promise<Frame | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #tick(): void {
    const elapsed = performance.now() - this.#secondBegan;
    // Half a frame early rather than half a frame late.
    if (elapsed >= SECOND_MS - FRAME_MS / 2) {
      this.#picture.second(elapsed / SECOND_MS);
      this.#secondBegan += elapsed;
    }
    this.#picture.judge(preciseNow());
    const delta = this.#picture.takeDelta();
    if (this.#waiting.length === 0) return;
    let snapshot: string | undefined;
    const frame: Frame = {
      number: delta.frame,
      delta: JSON.stringify(delta),
      snapshot: () => {
        snapshot ??= JSON.stringify(this.#picture.snapshot());
        return snapshot;
      },
    };
    for (const resolve of this.#waiting.splice(0)) resolve(frame);
  }
}
