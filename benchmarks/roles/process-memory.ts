// Memory of this process.

export interface MemoryReport {
  readonly rssMb: number;
  readonly heapMb: number;
}

const MB = 1024 * 1024;

/** Measures after a garbage collection, if the process runs with --expose-gc. */
export async function measureMemory(): Promise<MemoryReport> {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssMb: rss / MB, heapMb: heapUsed / MB };
}
