// Loggers for tests.

import type { Logger } from 'tickbus';

/** Drops every line. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export interface RecordedLogLine {
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
  /** The fields as JSON, errors included. Tests search it for text that must, or must not, be logged. */
  readonly text: string;
}

/** Keeps every line. */
export class RecordingLogger implements Logger {
  readonly lines: RecordedLogLine[] = [];

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

  #add(level: keyof Logger, fields: object, message: string): void {
    const text = JSON.stringify(fields, (_, value) =>
      value instanceof Error
        ? { ...value, message: value.message, stack: value.stack, cause: value.cause }
        : value,
    );
    this.lines.push({ level, fields, message, text });
  }
}
