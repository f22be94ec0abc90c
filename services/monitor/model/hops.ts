// How long the last prices of one instrument took on each part of their way.

import type { Message } from 'tickbus';
import type { Hop } from '../page-protocol.ts';

/** Messages of which the times are kept. */
const SAMPLES = 64;
/**
 * The writer of a lease stamps a message early by as long as the batch is under way, and both clocks count whole milliseconds. A hop
 * below 0 by no more than this is 0.
 */
const TIMESTAMP_TOLERANCE_MS = 5;
const NAMES = ['broker to gateway', 'gateway to Redis', 'Redis to here'] as const;

/** Milliseconds as the clocks of the machines involved show them; where these differ, a hop can be below 0. */
export class HopSamples {
  readonly #samples = NAMES.map(() => new Float64Array(SAMPLES));
  #count = 0;

  add({ data, timestamp, at }: Message<string, { timestamp: number }>, now: number): void {
    if (at === undefined) return;
    const place = this.#count++ % SAMPLES;
    const times = [data.timestamp, timestamp, at, now];
    for (const [hop, samples] of this.#samples.entries())
      samples[place] = clampRoundingError((times[hop + 1] ?? 0) - (times[hop] ?? 0));
  }

  summary(): Hop[] {
    if (this.#count === 0) return [];
    return NAMES.map((name, hop) => {
      const all = this.#samples[hop] ?? new Float64Array(SAMPLES);
      const sorted = all.slice(0, Math.min(this.#count, SAMPLES)).sort();
      const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
      return { name, last: all[(this.#count - 1) % SAMPLES] ?? 0, p50: at(0.5), p99: at(0.99) };
    });
  }
}

function clampRoundingError(ms: number): number {
  return ms < 0 && ms >= -TIMESTAMP_TOLERANCE_MS ? 0 : ms;
}
