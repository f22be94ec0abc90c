// What several tests need.

import type { Logger } from '../core/ports.ts';

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Keeps every line, as JSON, so that a test can look for what must or must not be in it. */
export class RecordingLogger implements Logger {
  readonly lines: { level: string; text: string; message: string }[] = [];

  debug(fields: object, message: string): void {
    this.#add('debug', fields, message);
  }

  info(fields: object, message: string): void {
    this.#add('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#add('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#add('error', fields, message);
  }

  #add(level: string, fields: object, message: string): void {
    const text = JSON.stringify(fields, (_, value) =>
      value instanceof Error
        ? { ...value, message: value.message, stack: value.stack, cause: value.cause }
        : value,
    );
    this.lines.push({ level, text, message });
  }
}
