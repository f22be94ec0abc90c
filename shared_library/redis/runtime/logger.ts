// Loggers: the default one, and the wall around one that is given.

import { pino } from 'pino';

/** Receives log lines. A pino logger fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** pino, JSON lines to stderr, so that stdout stays a program's own; `warn` and above, so that a healthy program prints nothing. */
export function createDefaultLogger(): Logger {
  return pino({ name: 'tickbus', level: 'warn' }, pino.destination({ fd: 2, sync: true }));
}

/** The logger given, from which nothing is thrown: a line that cannot be written must not cost a message. Default: ours. */
export function containedLogger(logger: Logger = createDefaultLogger()): Logger {
  const contained =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // There is nobody left to tell.
      }
    };
  return {
    debug: contained('debug'),
    info: contained('info'),
    warn: contained('warn'),
    error: contained('error'),
  };
}
