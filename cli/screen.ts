// What is shown once, or over and over in the same place.

import type { Context } from './context.ts';
import { after, unlessAborted } from './waiting.ts';

export interface WatchOptions {
  /** Milliseconds between two pictures. Default 1,000. */
  readonly intervalMs?: number;
}

/**
 * Shows what `picture` gives: once, or with `isWatched` until the signal. On a terminal each picture takes the place of the last
 * one; otherwise they follow each other.
 */
export async function watching(
  context: Context,
  isWatched: boolean | undefined,
  picture: () => Promise<readonly string[]>,
  { intervalMs = 1_000 }: WatchOptions = {},
): Promise<void> {
  const screen = new Screen(context, isWatched === true);
  for (;;) {
    screen.show(await unlessAborted(picture(), context.signal));
    if (!isWatched) return;
    const { passed, cancel } = after(intervalMs);
    await unlessAborted(passed, context.signal).finally(cancel);
  }
}

class Screen {
  readonly #context: Context;
  readonly #replaces: boolean;
  #height = 0;

  constructor(context: Context, isWatched: boolean) {
    this.#context = context;
    this.#replaces = isWatched && context.terminal.isInteractive;
  }

  show(lines: readonly string[]): void {
    const { terminal } = this.#context;
    if (!this.#replaces) {
      for (const line of lines) terminal.line(line);
      return;
    }
    // A picture higher than the screen would scroll, and the next one would not find its place.
    const visible = lines.slice(0, Math.max(1, terminal.rows - 1));
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : '';
    // Over the last picture, each line to its end, without wrapping, and nothing left below: no flicker.
    terminal.data(`${up}\x1b[?7l${visible.map((line) => `${line}\x1b[K\n`).join('')}\x1b[?7h\x1b[J`);
    this.#height = visible.length;
  }
}
