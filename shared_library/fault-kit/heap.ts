// Heap size after garbage collection, and its growth.

/** Bytes in use after a full garbage collection. @throws Error unless node was started with --expose-gc */
export function heapAfterGc(): number {
  if (globalThis.gc === undefined)
    throw new Error('Cannot measure the heap without garbage collection. Start node with --expose-gc.');
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

export interface HeapSample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Growth in bytes per minute, by least squares; 0 for fewer than two samples. */
export function slopePerMinute(samples: readonly HeapSample[]): number {
  const meanAt = mean(samples.map(({ atMs }) => atMs));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const variance = sum(samples.map(({ atMs }) => (atMs - meanAt) ** 2));
  if (variance === 0) return 0;
  const covariance = sum(samples.map(({ atMs, bytes }) => (atMs - meanAt) * (bytes - meanBytes)));
  return (covariance / variance) * 60_000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length;
}
