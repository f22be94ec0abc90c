// The default logger, and a wrapper that catches the errors of a given logger.

import { pino } from 'pino';

/** Receives log lines. A pino logger works as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * pino with JSON lines to stderr, which leaves stdout to the program.
 *
 * @param level default `warn`, so that a healthy program prints nothing
 */
export function createDefaultLogger(level: 'info' | 'warn' = 'warn'): Logger {
  return pino({ name: 'tickbus', level }, pino.destination({ fd: 2, sync: true }));
}

/**
 * Wraps a logger so that it never throws: a failed log line must not cause the loss of a message. Default:
 * `createDefaultLogger()`.
 */
export function containedLogger(logger: Logger = createDefaultLogger()): Logger {
  const contained =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // There is nowhere left to report this.
      }
    };
  return {
    debug: contained('debug'),
    info: contained('info'),
    warn: contained('warn'),
    error: contained('error'),
  };
}
