// Helpers for asynchronous tests. None of them uses a timer.

/** Runs everything that is ready. @param count turns of the event loop; default 5 */
export async function eventLoopTurns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The error that a promise rejects with or a function throws. @throws Error if there is none */
export async function errorOf(outcome: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof outcome === 'function' ? outcome() : outcome);
  } catch (error) {
    return error;
  }
  throw new Error('Expected an error, but the call succeeded.');
}

/** A promise together with the functions that settle it. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
