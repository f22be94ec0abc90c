// Waiting for whatever comes first: the end of the work, the time-out, or a signal.

/**
 * Settles as `work` does, unless the signal aborts first, or has aborted: then rejects with its reason, at once, or when `work` has
 * had `graceMs` more milliseconds in vain.
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

/** Resolves after so many milliseconds; never, without a number. Cancelling leaves it pending. */
export function after(ms: number | undefined): { passed: Promise<void>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    if (ms !== undefined) timer = setTimeout(resolve, ms);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}
