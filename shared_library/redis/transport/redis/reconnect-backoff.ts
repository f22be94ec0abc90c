// The backoff between attempts to reconnect.

const FIRST_MS = 50;
/** Below a second, so that a link reconnects within a second after the server is back. */
const MAX_MS = 800;

/**
 * Milliseconds to wait before an attempt, counted from 1. The first attempt is immediate; the next waits 50 ms,
 * doubling up to 800 ms. The actual wait is random, between half of that time and all of it, so that many bots do not
 * reconnect at the same instant.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  if (attempt <= 1) return 0;
  const ceiling = Math.min(FIRST_MS * 2 ** Math.min(attempt - 2, 10), MAX_MS);
  return Math.round(ceiling * (0.5 + random() / 2));
}
