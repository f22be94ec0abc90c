// How the services end: in order, on a signal, on an error that nobody caught, or when Redis does not let them in any more.

import closeWithGrace from 'close-with-grace';
import type { Connection, TickbusError } from 'tickbus';

export interface EndOptions {
  /** Milliseconds that `stop` may take; then the process ends without it, with exit code 1. */
  readonly deadlineMs: number;
  /** Where an end that does not go well is told; pino fits as it is. Default: the console. */
  readonly logger?: { error(message: unknown): void };
  /** What ends the process as an error does, once it resolves: `linkGivenUp`. */
  readonly failure?: Promise<Error>;
}

/** Why the process ends: one of them, or neither where nothing was left to do. */
export interface End {
  readonly err?: Error | undefined;
  readonly signal?: NodeJS.Signals | undefined;
}

/**
 * From now on the process ends by `stop`, called once: with exit code 0, after an error with 1. While it stops, another SIGTERM changes
 * nothing, as supervisors repeat it; another SIGINT, of somebody who does not want to wait, ends it at once with 1.
 */
export function endWithGrace(
  { deadlineMs, logger = console, failure }: EndOptions,
  stop: (end: End) => Promise<void>,
): void {
  let isEnding = false;
  const { close } = closeWithGrace(
    { delay: deadlineMs, logger, skip: ['SIGTERM'] },
    ({ err, signal, manual }) => {
      isEnding = true;
      return stop({ err, signal: manual ? 'SIGTERM' : signal });
    },
  );
  process.on('SIGTERM', () => isEnding || close());
  // An error that nobody catches.
  failure?.then((error) => Promise.reject(error));
}

/**
 * Resolves when a link that was up is given up, which is so when Redis has refused the password or a permission three times. Only who
 * starts the program anew can give it another one. Call it before anything connects; a first connection that fails is told to whoever asked for it.
 */
export function linkGivenUp(...connections: Connection[]): Promise<TickbusError> {
  return new Promise((resolve) => {
    for (const link of connections.flatMap(({ publishing, subscribing }) => [publishing, subscribing])) {
      let wasUp = false;
      link.onStatus((status) => {
        if (status.type === 'connected') wasUp = true;
        if (status.type === 'failed' && wasUp) resolve(status.error);
      });
    }
  });
}
