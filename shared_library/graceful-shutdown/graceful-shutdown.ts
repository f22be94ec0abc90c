// Graceful shutdown of a service: on a signal, an uncaught error, or a link to Redis that failed for good.

import closeWithGrace from 'close-with-grace';
import type { Connection, TickbusError } from 'tickbus';

export interface ShutdownOptions {
  /** Time limit of `stop`, in milliseconds. If `stop` takes longer, the process exits with code 1. */
  readonly deadlineMs: number;
  /** Receives the errors of the shutdown. A pino logger fits. Default: the console. */
  readonly logger?: { error(message: unknown): void };
  /** When it resolves, the service shuts down as after an uncaught error. Example: `linkFailure(connection)`. */
  readonly failure?: Promise<Error>;
}

/** The cause of the shutdown: an error or a signal. Both are undefined if the event loop became empty. */
export interface ShutdownCause {
  readonly err?: Error | undefined;
  readonly signal?: NodeJS.Signals | undefined;
}

/**
 * Calls `stop` once, then exits: with code 0, or with 1 after an error. During `stop`, another SIGTERM is ignored
 * because supervisors repeat it. Another SIGINT exits at once with code 1, for a user who does not want to wait.
 */
export function shutDownGracefully(
  { deadlineMs, logger = console, failure }: ShutdownOptions,
  stop: (cause: ShutdownCause) => Promise<void>,
): void {
  let isStopping = false;
  const { close } = closeWithGrace(
    { delay: deadlineMs, logger, skip: ['SIGTERM'] },
    ({ err, signal, manual }) => {
      isStopping = true;
      return stop({ err, signal: manual ? 'SIGTERM' : signal });
    },
  );
  process.on('SIGTERM', () => isStopping || close());
  // Deliberately uncaught: close-with-grace handles it like any uncaught error.
  failure?.then((error) => Promise.reject(error));
}

/**
 * Resolves when a link that was connected fails for good: Redis rejected the password or a permission three times. New
 * credentials require a restart of the program. Call this function before a link connects. It ignores a link that never
 * connected, because the caller who connects it receives the error.
 */
export function linkFailure(...connections: Connection[]): Promise<TickbusError> {
  return new Promise((resolve) => {
    for (const link of connections.flatMap(({ publishing, subscribing }) => [publishing, subscribing])) {
      let wasConnected = false;
      link.onStatus((status) => {
        if (status.type === 'connected') wasConnected = true;
        if (status.type === 'failed' && wasConnected) resolve(status.error);
      });
    }
  });
}
