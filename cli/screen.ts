// What is shown once, or over and over in the same place.

import type { TickbusError } from 'tickbus';
import type { Context } from './context.ts';
import { after, unlessAborted } from './waiting.ts';

export interface WatchOptions {
  /** Milliseconds between two pictures. Default 1,000. */
  readonly intervalMs?: number;
}

/**
 * Shows what `picture` gives: once, or with `isWatched` until the signal. On a terminal each picture takes the place of the last
 * one; otherwise they follow each other. Once there was one, a server that is away for a while is told of, and tried again.
 *
 * @throws what `picture` throws, unless it passes; the signal's reason
 */
export async function watching(
  context: Context,
  isWatched: boolean | undefined,
  picture: () => Promise<readonly string[]>,
  { intervalMs = 1_000 }: WatchOptions = {},
): Promise<void> {
  const screen = new Screen(context, isWatched === true);
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

/** A picture only reads: what became of the question does not matter. A server that loads its data or is busy says so. */
function passes({ code, retryable }: TickbusError): boolean {
  return retryable || code === 'TICKBUS_OUTCOME_UNKNOWN' || code === 'TICKBUS_SERVER_ERROR';
}

const AWAY = 'Redis cannot be asked, so this does not change. Trying again.';

class Screen {
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
      if (this.#isKept) terminal.note('Connected again.');
      for (const line of lines) terminal.line(line);
    }
    this.#isKept = false;
  }

  /** There is no new picture: the last one stays, and what is the matter is said. */
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
    // Over the last picture, each line to its end, without wrapping, and nothing left below: no flicker.
    terminal.data(`${up}\x1b[?7l${visible.map((line) => `${line}\x1b[K\n`).join('')}\x1b[?7h\x1b[J`);
    this.#height = visible.length;
  }
}

/** A picture higher than the screen would scroll, and the next one would not find its place. What is missing is told. */
function fitting(lines: readonly string[], room: number): readonly string[] {
  if (lines.length <= room) return lines;
  const shown = lines.slice(0, Math.max(1, room - 1));
  return [...shown, `(${lines.length - shown.length} more have no place on this screen)`];
}
