// Races work against a timeout or a signal.

/**
 * Settles as `work` does. If the signal aborts first, rejects with its reason, at most `graceMs` milliseconds later.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, graceMs = 0): Promise<T> {
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      if (graceMs === 0) reject(signal.reason);
      else timer = setTimeout(() => reject(signal.reason), graceMs);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    stop = () => {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(timer);
    };
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    stop();
  }
}

/** Resolves after `ms` milliseconds; never if undefined. A cancelled wait stays pending. */
export function after(ms: number | undefined): { elapsed: Promise<void>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    if (ms !== undefined) timer = setTimeout(resolve, ms);
  });
  return { elapsed, cancel: () => clearTimeout(timer) };
}

/** @throws Error if Redis has not replied after `ms` */
export async function withinTimeout<T>(signal: AbortSignal, ms: number, work: Promise<T>): Promise<T> {
  const { elapsed, cancel } = after(ms);
  const tooLate = elapsed.then(() => {
    throw new Error(`No reply from Redis within ${ms / 1_000} s.`);
  });
  try {
    return await unlessAborted(Promise.race([work, tooLate]), signal);
  } finally {
    cancel();
  }
}
