// The default logger: pino, JSON lines to stderr, so that stdout stays a program's own.

import { pino } from 'pino';
import type { Logger } from '../core/ports.ts';

/** Level `warn`, so that a healthy program prints nothing of ours. */
export function createDefaultLogger(): Logger {
  return pino({ name: 'tickbus', level: 'warn' }, pino.destination({ fd: 2, sync: true }));
}
