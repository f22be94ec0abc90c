// What a process weighs.

export interface Weight {
  readonly rssMb: number;
  readonly heapMb: number;
}

const MB = 1024 * 1024;

/** After a garbage collection, where the process was started with --expose-gc. */
export async function weigh(): Promise<Weight> {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssMb: rss / MB, heapMb: heapUsed / MB };
}
