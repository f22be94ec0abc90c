// How long to wait before a dropped link is tried again.

const FIRST_MS = 50;
/** Below a second, so that a link is back within one after the server is. */
const MAX_MS = 800;

/**
 * Milliseconds before an attempt, the first of which is 1: that one at once, then 50 ms doubling up to 800, each at a random
 * point of its upper half, so that many bots do not come at the same instant.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  if (attempt <= 1) return 0;
  const ceiling = Math.min(FIRST_MS * 2 ** Math.min(attempt - 2, 10), MAX_MS);
  return Math.round(ceiling * (0.5 + random() / 2));
}
