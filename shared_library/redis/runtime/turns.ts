// Turns of the event loop and microtasks. They are real also with fake timers: otherwise nothing would be delivered
// until a test advances the timers.

import { setImmediate as realSetImmediate } from 'node:timers';

/** Calls back in the next turn of the event loop, after pending input has been read. */
export function nextTurn(callback: () => void): void {
  realSetImmediate(callback);
}

/** As `queueMicrotask`, which Jest fakes. */
export function microtask(callback: () => void): void {
  void RESOLVED.then(callback);
}

const RESOLVED = Promise.resolve();
