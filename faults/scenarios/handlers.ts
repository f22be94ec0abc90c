// Failing handlers, repeated subscribing and unsubscribing, and close() in the middle of a burst.

import { equal, ok } from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { heapAfterGc } from '@tickbus/fault-kit/heap';
import { ALERTS, FILLS, TICKS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { within } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { CloseSettings } from '../workers/close-in-burst.ts';

const BURST = 2_000;

export const throwingHandler: Scenario = {
  name: '13-throwing-handler',
  expected: 'If a handler throws in a burst of 2,000, the other handlers receive all 2,000.',
  run: (testbed) =>
    failingHandler(testbed, () => {
      throw new Error('A handler that throws.');
    }),
};

export const rejectingHandler: Scenario = {
  name: '14-rejecting-handler',
  expected:
    'If an async handler rejects, the error is counted and handled, and the other handlers receive every message.',
  run: (testbed) => failingHandler(testbed, () => Promise.reject(new Error('A handler that rejects.'))),
};

async function failingHandler(testbed: Testbed, fail: () => unknown): Promise<void> {
  const { subscriber } = testbed.subscriber();
  let failed = 0;
  subscriber.subscribe(ALERTS, () => {
    failed++;
    return fail();
  });
  const others = [testbed.attach(subscriber, ALERTS), testbed.attach(subscriber, ALERTS)];
  await subscriber.startListening();
  for (const recorder of others) recorder.expectFromHere();
  const alone = await testbed.listen(ALERTS);
  const publisher = testbed.publisher();
  await Promise.all(Array.from({ length: BURST }, () => testbed.send(publisher, ALERTS)));
  for (const recorder of [...others, alone.recorder])
    await within(
      'Each other handler receives every message',
      recorder.until(({ seen }) => seen.length === BURST),
    );
  await testbed.settle();
  await turn();
  equal(failed, BURST, 'the failing handler receives each message');
  equal(subscriber.status(ALERTS)?.handlerErrors, BURST, 'each failure is counted');
}

const MAX_GROWTH_BYTES = 3 * 1024 * 1024;

export const comeAndGo: Scenario = {
  name: '23-come-and-go',
  expected:
    'A subscription that is added and removed 10,000 times leaks nothing, and receives no message after its end.',
  shortened: '2,000 times',
  async run(testbed) {
    const rounds = testbed.scaled(10_000, 2_000);
    const publisher = testbed.publisher();
    const { subscriber, recorder } = await testbed.listen(FILLS);
    let isStopped = false;
    let handledAfterEnd = 0;
    let handled = 0;
    // These messages are not in the ledger, which would enlarge the measured heap. Only messages after the end matter.
    const publishing = (async () => {
      for (let n = 0; !isStopped; n++) {
        const key = `S${n % 10}`;
        await Promise.allSettled([
          publisher.publish(TICKS, { key, n }),
          publisher.publish(ALERTS, { key, n }),
        ]);
        await turn();
      }
    })();
    const subscribeOnce = async (round: number) => {
      // Waits for a reply, which gives the server time to catch up.
      if (round % 50 === 0) await testbed.command('PING');
      // TICKS and ALERTS have no other subscription, so their readers start and stop too.
      const channel = testbed.random.percent(50) ? TICKS : ALERTS;
      let isEnded = false;
      const end = subscriber.subscribe(channel, () => {
        if (isEnded) handledAfterEnd++;
        else handled++;
      });
      for (let turns = testbed.random.int(0, 3); turns > 0; turns--) await turn();
      end();
      isEnded = true;
    };
    for (let i = 0; i < rounds / 10; i++) await subscribeOnce(i);
    const before = heapAfterGc();
    for (let i = 0; i < rounds; i++) await subscribeOnce(i);
    isStopped = true;
    await publishing;
    await testbed.send(publisher, FILLS);
    await within(
      'The remaining subscription receives',
      recorder.until(({ seen }) => seen.length === 1),
    );
    const grown = heapAfterGc() - before;
    testbed.note(
      `${handled} messages handled meanwhile; the heap grew by ${(grown / 2 ** 20).toFixed(2)} MB`,
    );
    equal(handledAfterEnd, 0, 'no message is handled after the end of its subscription');
    ok(grown < MAX_GROWTH_BYTES, `the heap grows by less than 3 MB; it grew by ${grown} bytes`);
    const counts = await testbed.command('PUBSUB', 'NUMSUB', FILLS.name, TICKS.name, ALERTS.name);
    equal(String(counts), 'FILLS,1,TICKS,0,ALERTS,0', 'only the remaining subscription exists on the server');
  },
};

export const closeInBurst: Scenario = {
  name: '24-close-in-burst',
  expected:
    'close() in the middle of a burst handles the received messages, then resolves, and the process exits.',
  async run(testbed) {
    const settings: CloseSettings = { port: testbed.redis.port, after: 500 };
    const worker = new WorkerProcess('close-in-burst', { ...settings });
    testbed.atEnd(() => worker.kill());
    await worker.receive('ready');
    const publisher = testbed.publisher();
    const publishing = Promise.all(Array.from({ length: 5_000 }, () => testbed.send(publisher, ALERTS)));
    const closed = await worker.receive('closed');
    await publishing;
    const code = await worker.exited();
    const { handled, received, lost, tookMs, handledAfterClose } = closed as Record<string, number>;
    testbed.note(
      `received ${received}, handled ${handled}, reported as dropped ${lost}; close() took ${tookMs} ms`,
    );
    equal(
      Number(handled) + Number(lost),
      received,
      'each received message is handled, or reported as dropped',
    );
    ok(Number(handled) > settings.after, 'messages were queued when close() was called');
    equal(handledAfterClose, 0, 'nothing is handled after close() has resolved');
    ok(Number(tookMs) < 6_000, `close() resolves within its time limit of 5 s; it took ${tookMs} ms`);
    equal(code, 0, 'the process exits on its own');
  },
};
