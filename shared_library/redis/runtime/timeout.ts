// A promise that resolves after a time of the clock.

import type { Clock } from './clock.ts';
import type { Unsubscribe } from './emitter.ts';

/** `cancel` stops the timer; the promise then stays pending. */
export function timeout(clock: Clock, ms: number): { promise: Promise<void>; cancel: Unsubscribe } {
  let cancel: Unsubscribe = () => {};
  const promise = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  return { promise, cancel };
}
