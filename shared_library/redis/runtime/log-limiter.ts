// Limits the log lines about repeated events, so that a peer that causes them cannot fill the log.

import type { Clock } from './clock.ts';
import type { Unsubscribe } from './emitter.ts';
import type { Logger } from './logger.ts';

/** The maximum number of lines with one text and subject within `WINDOW_MS`. */
const MAX_LINES = 20;
const WINDOW_MS = 10_000;
/** The maximum length of the message and of the stack of a logged error, in UTF-16 units. */
const MAX_ERROR_LENGTH = 1_000;
const MAX_STACK_LENGTH = 4_000;

interface Window {
  readonly startedAt: number;
  lines: number;
  suppressed: number;
  cancelSummary: Unsubscribe;
}

/**
 * Writes the first 20 lines of an event in 10 s, then only counts them. When the 10 s end, one line says how many were
 * suppressed. Text and subject identify an event, so neither of them may come from a peer.
 */
export class LogLimiter {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** @param subject what the event is about, such as the name of a channel */
  write(level: keyof Logger, subject: string, fields: object, message: string): void {
    const id = `${subject}\n${message}`;
    const now = this.#clock.monotonic();
    let window = this.#windows.get(id);
    if (window === undefined || (window.suppressed === 0 && now - window.startedAt >= WINDOW_MS)) {
      window = { startedAt: now, lines: 0, suppressed: 0, cancelSummary: () => {} };
      this.#windows.set(id, window);
    }
    if (++window.lines <= MAX_LINES) return this.#logger[level](fields, message);
    if (window.suppressed++ > 0) return;
    const leftMs = Math.max(0, window.startedAt + WINDOW_MS - now);
    window.cancelSummary = this.#clock.after(leftMs, () => this.#summarize(id, level, subject, message));
  }

  /** Writes the pending summaries now instead of when they are due. */
  flush(): void {
    for (const { cancelSummary } of this.#windows.values()) cancelSummary();
    for (const [id, { suppressed }] of this.#windows) {
      const [subject = '', message = ''] = id.split('\n');
      if (suppressed > 0) this.#summarize(id, 'warn', subject, message);
    }
  }

  #summarize(id: string, level: keyof Logger, subject: string, message: string): void {
    const suppressed = this.#windows.get(id)?.suppressed ?? 0;
    this.#windows.delete(id);
    this.#logger[level](
      { subject, suppressed, windowMs: WINDOW_MS },
      `Log lines suppressed, because the event repeats: ${message}`,
    );
  }
}

/** The error itself, or a copy with a shortened message and stack: both may quote a large message. */
export function loggableError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? shorten(error, MAX_ERROR_LENGTH) : error;
  const { message, stack = '' } = error;
  if (message.length <= MAX_ERROR_LENGTH && stack.length <= MAX_STACK_LENGTH) return error;
  const copy = new Error(shorten(message, MAX_ERROR_LENGTH));
  copy.name = error.name;
  copy.stack = shorten(stack, MAX_STACK_LENGTH);
  return copy;
}

function shorten(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}... (${text.length} characters)`;
}
