// Latency percentiles over the last ten seconds.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** A ring of ten one-second slices; the window covers 9 to 10 s. */
const SLICES = 10;
/** Maximum in microseconds. Longer latencies are recorded as this value; the age column shows them. */
const LONGEST_US = 60_000_000;

export class LatencyWindow {
  readonly #slices: RecordableHistogram[] = Array.from({ length: SLICES }, newHistogram);
  #current = 0;

  /** @param ms latency in milliseconds; a negative one, caused by clock differences, counts as the minimum */
  record(ms: number): void {
    const us = Math.round(ms * 1_000);
    this.#slices[this.#current]?.record(Math.min(Math.max(1, us), LONGEST_US));
  }

  /** Call once per second. */
  nextSlice(): void {
    this.#current = (this.#current + 1) % SLICES;
    this.#slices[this.#current]?.reset();
  }

  /** Milliseconds; null without samples. */
  percentiles(): { p50: number | null; p99: number | null } {
    const all = newHistogram();
    for (const slice of this.#slices) if (slice.count > 0) all.add(slice);
    if (all.count === 0) return { p50: null, p99: null };
    return { p50: all.percentile(50) / 1_000, p99: all.percentile(99) / 1_000 };
  }
}

/** Two significant digits are enough to read a latency. */
function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST_US, figures: 2 });
}
