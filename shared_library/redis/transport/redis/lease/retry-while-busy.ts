// Retries a command while a script keeps the server busy.

import { isBusy } from '../error-mapping.ts';

/** Milliseconds between two attempts. */
const RETRY_MS = 50;

/** Retries a command that the server rejects with BUSY, for up to `ms` milliseconds. */
export async function retryWhileBusy<T>(ms: number, action: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + ms; ; ) {
    try {
      return await action();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
