// Percentiles of what was measured in the last ten seconds.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Ten slices of a second each, the oldest begun anew when it is its turn; so the window is between 9 and 10 s. */
const SLICES = 10;
/** Microseconds. A price older than this took a minute; how much longer is told by its age. */
const LONGEST_US = 60_000_000;

export class LatencyWindow {
  readonly #slices: RecordableHistogram[] = Array.from({ length: SLICES }, newHistogram);
  #current = 0;

  /** Milliseconds; what clocks that differ make negative counts as the shortest. */
  record(ms: number): void {
    const us = Math.round(ms * 1_000);
    this.#slices[this.#current]?.record(Math.min(Math.max(1, us), LONGEST_US));
  }

  /** To be called once a second. */
  nextSlice(): void {
    this.#current = (this.#current + 1) % SLICES;
    this.#slices[this.#current]?.reset();
  }

  /** Milliseconds; null when nothing was measured. */
  percentiles(): { p50: number | null; p99: number | null } {
    const all = newHistogram();
    for (const slice of this.#slices) if (slice.count > 0) all.add(slice);
    if (all.count === 0) return { p50: null, p99: null };
    return { p50: all.percentile(50) / 1_000, p99: all.percentile(99) / 1_000 };
  }
}

/** Two digits are exact: a latency is read, not added up. */
function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LONGEST_US, figures: 2 });
}
