// What ends a running bot: a signal, or a link to Redis that failed for good.

import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Connection } from '../transport/port.ts';

/** Longer than any test. The interval only keeps the process alive, which timers of the library do not. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Resolves on SIGINT or SIGTERM, and rejects when a link that was connected does not reconnect any more: Redis rejected
 * the password or a permission several times. A link that never connected is reported by the call that connects it.
 *
 * Until `dispose`, another SIGTERM has no effect, because supervisors repeat it. Another SIGINT ends the process at
 * once, for a user who does not want to wait.
 */
export function runEnd({ publishing, subscribing }: Connection): {
  readonly ended: Promise<void>;
  readonly dispose: () => void;
} {
  const cleanup: Unsubscribe[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    const onSignal = () => {
      process.off('SIGINT', onSignal);
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    cleanup.push(() => process.off('SIGINT', onSignal).off('SIGTERM', onSignal));
    for (const link of [publishing, subscribing]) {
      let wasConnected = false;
      cleanup.push(
        link.onStatus((status) => {
          if (status.type === 'connected') wasConnected = true;
          if (status.type === 'failed' && wasConnected) reject(status.error);
        }),
      );
    }
  });
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  const dispose = () => {
    clearInterval(keepAlive);
    for (const each of cleanup) each();
  };
  return { ended, dispose };
}
