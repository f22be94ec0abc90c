// Prints a view once, or redraws it in place with --watch.

import type { TickbusError } from 'tickbus';
import type { Context } from './context.ts';
import { after, unlessAborted } from './waiting.ts';

export interface ViewOptions {
  /** Milliseconds between two views. Default 1,000. */
  readonly intervalMs?: number;
}

/**
 * Prints the lines of `render` once, or repeatedly until the signal if `isWatched`. On a terminal each view replaces
 * the previous one; otherwise it is appended. After the first view, a temporary error is reported and retried.
 *
 * @throws a permanent error of `render`; the signal's reason
 */
export async function watching(
  context: Context,
  isWatched: boolean | undefined,
  render: () => Promise<readonly string[]>,
  { intervalMs = 1_000 }: ViewOptions = {},
): Promise<void> {
  const view = new WatchView(context, isWatched === true);
  view.show(await unlessAborted(render(), context.signal));
  while (isWatched) {
    const { elapsed, cancel } = after(intervalMs);
    await unlessAborted(elapsed, context.signal).finally(cancel);
    try {
      view.show(await unlessAborted(render(), context.signal));
    } catch (error) {
      if (!isTemporary(error as TickbusError)) throw error;
      view.keepLast();
    }
  }
}

/** `render` only reads, so an unknown outcome can be retried. A server error can mean that Redis is loading or busy. */
function isTemporary({ code, retryable }: TickbusError): boolean {
  return retryable || code === 'TICKBUS_OUTCOME_UNKNOWN' || code === 'TICKBUS_SERVER_ERROR';
}

const OUTDATED = 'Cannot read from Redis; the view is out of date. Retrying.';

class WatchView {
  readonly #context: Context;
  readonly #replaces: boolean;
  #lines: readonly string[] = [];
  #height = 0;
  #isOutdated = false;

  constructor(context: Context, isWatched: boolean) {
    this.#context = context;
    this.#replaces = isWatched && context.terminal.isInteractive;
  }

  show(lines: readonly string[]): void {
    const { terminal } = this.#context;
    this.#lines = lines;
    if (this.#replaces) this.#draw(lines);
    else {
      if (this.#isOutdated) terminal.note('Reconnected.');
      for (const line of lines) terminal.line(line);
    }
    this.#isOutdated = false;
  }

  /** Keeps the last view, and reports the outage once. */
  keepLast(): void {
    const { terminal } = this.#context;
    if (this.#isOutdated) return;
    this.#isOutdated = true;
    if (this.#replaces) this.#draw(this.#lines, terminal.paint('yellow', OUTDATED));
    else terminal.warn(OUTDATED);
  }

  #draw(lines: readonly string[], ...notices: readonly string[]): void {
    const { terminal } = this.#context;
    const visible = [...truncated(lines, terminal.rows - 1 - notices.length), ...notices];
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : '';
    // Overwriting each line to its end, without wrapping, avoids flicker.
    terminal.data(`${up}\x1b[?7l${visible.map((line) => `${line}\x1b[K\n`).join('')}\x1b[?7h\x1b[J`);
    this.#height = visible.length;
  }
}

/** A view that scrolls cannot be redrawn in place. */
function truncated(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines;
  const shown = lines.slice(0, Math.max(1, room - 1));
  return [...shown, `(${lines.length - shown.length} more lines do not fit on this screen)`];
}
