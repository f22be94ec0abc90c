// Blocks the event loop, as a slow handler or a long calculation does.

import { existsSync } from 'node:fs';

export function block(ms: number): void {
  if (ms <= 0) return;
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Blocks for at least `ms`, and until another process has created the file. */
export function blockUntil(file: string, ms: number): void {
  block(ms);
  while (!existsSync(file)) block(5);
}
