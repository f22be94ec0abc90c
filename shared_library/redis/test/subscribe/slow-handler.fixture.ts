// For the handler tests: a handler whose promise the test settles.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import type { Message } from '../../wire/message.ts';

/** A handler that records each message. `finish` ends the latest call. */
export function slowHandler() {
  const started: Message<string, { n: number }>[] = [];
  let current = deferred();
  return {
    started,
    handler: (message: Message<string, { n: number }>) => {
      started.push(message);
      current = deferred();
      return current.promise;
    },
    finish: async () => {
      current.resolve();
      await eventLoopTurns();
    },
    numbers: () => started.map(({ data }) => data.n),
  };
}
