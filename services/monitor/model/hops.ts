// Latency of one instrument's last prices, by hop: broker to gateway, gateway to Redis, Redis to monitor.

import type { Message } from 'tickbus';
import type { Hop } from '../api-protocol.ts';

/** Number of messages in the sample. */
const SAMPLES = 64;
/**
 * Negative hops up to this size count as 0: a batch carries one timestamp taken before it is sent, and both clocks
 * count whole milliseconds.
 */
const TIMESTAMP_TOLERANCE_MS = 5;
const NAMES = ['broker to gateway', 'gateway to Redis', 'Redis to monitor'] as const;

/** Hops in milliseconds. A hop can be negative if the clocks of the machines differ. */
export class HopSamples {
  readonly #samples = NAMES.map(() => new Float64Array(SAMPLES));
  #count = 0;

  add({ data, timestamp, at }: Message<string, { timestamp: number }>, now: number): void {
    if (at === undefined) return;
    const index = this.#count++ % SAMPLES;
    const times = [data.timestamp, timestamp, at, now];
    for (const [hop, samples] of this.#samples.entries())
      samples[index] = clampRoundingError((times[hop + 1] ?? 0) - (times[hop] ?? 0));
  }

  summary(): Hop[] {
    if (this.#count === 0) return [];
    return NAMES.map((name, hop) => {
      const all = this.#samples[hop] ?? new Float64Array(SAMPLES);
      const sorted = all.slice(0, Math.min(this.#count, SAMPLES)).sort();
      const quantile = (part: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
      return { name, last: all[(this.#count - 1) % SAMPLES] ?? 0, p50: quantile(0.5), p99: quantile(0.99) };
    });
  }
}

function clampRoundingError(ms: number): number {
  return ms < 0 && ms >= -TIMESTAMP_TOLERANCE_MS ? 0 : ms;
}
