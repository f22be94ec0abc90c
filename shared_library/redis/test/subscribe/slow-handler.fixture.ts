// What the tests of handlers need: one that takes its time.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import type { Message } from '../../wire/message.ts';

/** A handler that notes the number of each message and stays with it until told. */
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
