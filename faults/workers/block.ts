// Keeps this thread busy, as a slow handler or a long calculation does.

import { existsSync } from 'node:fs';

/** Nothing else happens in this process meanwhile. */
export function block(ms: number): void {
  if (ms <= 0) return;
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** For at least so long, and until the file is there: another process says by it that it is done. */
export function blockUntil(file: string, ms: number): void {
  block(ms);
  while (!existsSync(file)) block(5);
}
