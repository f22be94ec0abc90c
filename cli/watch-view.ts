// Prints a view once, or redraws it in place with --watch.

import type { TickbusError } from 'tickbus';
import type { Context } from './context.ts';
import { after, unlessAborted } from './waiting.ts';

export interface ViewOptions {
  /** Milliseconds between two pictures. Default 1,000. */
  readonly intervalMs?: number;
}

/**
 * Prints the lines of `picture` once, or with `isWatched` until the signal. On a terminal each view replaces the last
 * one; otherwise the views follow each other. After the first view, a temporary error is reported and retried.
 *
 * @throws a permanent error of `picture`; the signal's reason
 */
export async function watching(
  context: Context,
  isWatched: boolean | undefined,
  picture: () => Promise<readonly string[]>,
  { intervalMs = 1_000 }: ViewOptions = {},
): Promise<void> {
  const screen = new WatchView(context, isWatched === true);
  screen.show(await unlessAborted(picture(), context.signal));
  while (isWatched) {
    const { passed, cancel } = after(intervalMs);
    await unlessAborted(passed, context.signal).finally(cancel);
    try {
      screen.show(await unlessAborted(picture(), context.signal));
    } catch (error) {
      if (!passes(error as TickbusError)) throw error;
      screen.keep();
    }
  }
}

/** `picture` only reads, so an unknown outcome can be retried. A loading or busy server replies with an error. */
function passes({ code, retryable }: TickbusError): boolean {
  return retryable || code === 'TICKBUS_OUTCOME_UNKNOWN' || code === 'TICKBUS_SERVER_ERROR';
}

const AWAY = 'Cannot read from Redis; the view is out of date. Retrying.';

class WatchView {
  readonly #context: Context;
  readonly #replaces: boolean;
  #lines: readonly string[] = [];
  #height = 0;
  #isKept = false;

  constructor(context: Context, isWatched: boolean) {
    this.#context = context;
    this.#replaces = isWatched && context.terminal.isInteractive;
  }

  show(lines: readonly string[]): void {
    const { terminal } = this.#context;
    this.#lines = lines;
    if (this.#replaces) this.#draw(lines);
    else {
      if (this.#isKept) terminal.note('Reconnected.');
      for (const line of lines) terminal.line(line);
    }
    this.#isKept = false;
  }

  /** Keeps the last view and reports the outage once. */
  keep(): void {
    const { terminal } = this.#context;
    if (this.#isKept) return;
    this.#isKept = true;
    if (this.#replaces) this.#draw(this.#lines, terminal.paint('yellow', AWAY));
    else terminal.warn(AWAY);
  }

  #draw(lines: readonly string[], ...remarks: readonly string[]): void {
    const { terminal } = this.#context;
    const visible = [...fitting(lines, terminal.rows - 1 - remarks.length), ...remarks];
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : '';
    // Overwriting each line to its end, without wrapping, avoids flicker.
    terminal.data(`${up}\x1b[?7l${visible.map((line) => `${line}\x1b[K\n`).join('')}\x1b[?7h\x1b[J`);
    this.#height = visible.length;
  }
}

/** Truncates a view to the screen: one that scrolls cannot be redrawn in place. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines;
  const shown = lines.slice(0, Math.max(1, room - 1));
  return [...shown, `(${lines.length - shown.length} more lines do not fit on this screen)`];
}
