// What is left on the heap after collecting garbage, and how it grows.

/** Bytes in use after a full collection. @throws Error unless node was started with --expose-gc */
export function heapAfterGc(): number {
  if (globalThis.gc === undefined)
    throw new Error('Start node with --expose-gc, so that the heap can be measured.');
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

export interface HeapSample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Bytes a minute, by least squares; 0 for fewer than two samples. */
export function slopePerMinute(samples: readonly HeapSample[]): number {
  const meanAt = mean(samples.map(({ atMs }) => atMs));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const spread = sum(samples.map(({ atMs }) => (atMs - meanAt) ** 2));
  if (spread === 0) return 0;
  const together = sum(samples.map(({ atMs, bytes }) => (atMs - meanAt) * (bytes - meanBytes)));
  return (together / spread) * 60_000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}
