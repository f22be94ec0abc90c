// Turns the dashboard state into a fixed number of page updates per second, whatever the message rate.

import { encodeEvent } from './http/event-stream.ts';
import type { DashboardState } from './model/dashboard-state.ts';
import { preciseNow } from './model/precise-now.ts';

export interface PageFrame {
  readonly number: number;
  /** The event `delta`: the changes since the previous frame. Encoded on demand, once for all streams. */
  delta(): Buffer;
  /** The event `snapshot`. Encoded on demand, once for all streams. */
  snapshot(): Buffer;
}

/** Five frames per second. */
const FRAME_MS = 200;
const RATES_INTERVAL_MS = 1_000;

/**
 * Keeps no backlog. A slow browser asks for the next frame when it is ready; if it has missed frames, it receives a
 * snapshot instead of a delta.
 */
export class PageFrames {
  readonly #state: DashboardState;
  readonly #timer: NodeJS.Timeout;
  #waiting: ((frame: PageFrame | undefined) => void)[] = [];
  #ratesUpdatedAt = performance.now();
  #isClosed = false;

  constructor(state: DashboardState) {
    this.#state = state;
    this.#timer = setInterval(() => this.#tick(), FRAME_MS);
  }

  /** Resolves with the next frame, or with undefined after `close`. */
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
    // Rounds to the nearest frame: the interval ends up to half a frame early rather than a whole frame late.
    if (elapsed >= RATES_INTERVAL_MS - FRAME_MS / 2) {
      this.#state.updateRates(elapsed / RATES_INTERVAL_MS);
      this.#ratesUpdatedAt += elapsed;
    }
    this.#state.update(preciseNow());
    const delta = this.#state.takeDelta();
    if (this.#waiting.length === 0) return;
    let encodedDelta: Buffer | undefined;
    let snapshot: Buffer | undefined;
    const frame: PageFrame = {
      number: delta.frame,
      delta: () => {
        encodedDelta ??= encodeEvent('delta', JSON.stringify(delta));
        return encodedDelta;
      },
      snapshot: () => {
        snapshot ??= encodeEvent('snapshot', JSON.stringify(this.#state.snapshot()));
        return snapshot;
      },
    };
    for (const resolve of this.#waiting.splice(0)) resolve(frame);
  }
}
