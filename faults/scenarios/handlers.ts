// Handlers that fail, subscriptions that come and go, and an end in the middle of a burst.

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
  expected: `A handler that throws in a burst of 2,000: the others get 2,000.`,
  run: (testbed) =>
    failingHandler(testbed, () => {
      throw new Error('A handler that throws.');
    }),
};

export const rejectingHandler: Scenario = {
  name: '14-rejecting-handler',
  expected: 'An async handler that rejects: counted, no unhandled rejection, and the others get everything.',
  run: (testbed) => failingHandler(testbed, () => Promise.reject(new Error('A handler that rejects.'))),
};

async function failingHandler(testbed: Testbed, fail: () => unknown): Promise<void> {
  const { subscriber } = testbed.subscriber();
  let failed = 0;
  subscriber.subscribe(ALERTS, () => {
    failed++;
    return fail();
  });
  const beside = [testbed.attach(subscriber, ALERTS), testbed.attach(subscriber, ALERTS)];
  await subscriber.startListening();
  for (const recorder of beside) recorder.expectFromHere();
  const alone = await testbed.listen(ALERTS);
  const publisher = testbed.publisher();
  await Promise.all(Array.from({ length: BURST }, () => testbed.send(publisher, ALERTS)));
  for (const recorder of [...beside, alone.recorder])
    await within(
      'Each other handler gets all',
      recorder.until(({ seen }) => seen.length === BURST),
    );
  await testbed.settle();
  await turn();
  equal(failed, BURST, 'the failing handler was called with each message');
  equal(subscriber.status(ALERTS)?.handlerErrors, BURST, 'each failure was counted');
}

const MAX_GROWTH_BYTES = 3 * 1024 * 1024;

export const comeAndGo: Scenario = {
  name: '23-come-and-go',
  expected: 'A subscription added and removed 10,000 times: no leak, and no message after its end.',
  shortened: '2,000 times',
  async run(testbed) {
    const rounds = testbed.scaled(10_000, 2_000);
    const publisher = testbed.publisher();
    const { subscriber, recorder } = await testbed.listen(FILLS);
    let isOver = false;
    let afterwards = 0;
    let heard = 0;
    // Not in the ledger: only whether they come after the end matters, and the heap is measured.
    const publishing = (async () => {
      for (let n = 0; !isOver; n++) {
        const key = `S${n % 10}`;
        await Promise.allSettled([
          publisher.publish(TICKS, { key, n }),
          publisher.publish(ALERTS, { key, n }),
        ]);
        await turn();
      }
    })();
    const comeAndGoOnce = async (round: number) => {
      // Now and then the server gets the time to follow.
      if (round % 50 === 0) await testbed.command('PING');
      // TICKS has no other subscription, so its reader comes and goes too; so does the one of ALERTS, half the time.
      const channel = testbed.random.percent(50) ? TICKS : ALERTS;
      let isEnded = false;
      const end = subscriber.subscribe(channel, () => {
        if (isEnded) afterwards++;
        else heard++;
      });
      for (let turns = testbed.random.int(0, 3); turns > 0; turns--) await turn();
      end();
      isEnded = true;
    };
    for (let i = 0; i < rounds / 10; i++) await comeAndGoOnce(i);
    const before = heapAfterGc();
    for (let i = 0; i < rounds; i++) await comeAndGoOnce(i);
    isOver = true;
    await publishing;
    await testbed.send(publisher, FILLS);
    await within(
      'The one that stayed hears',
      recorder.until(({ seen }) => seen.length === 1),
    );
    const grown = heapAfterGc() - before;
    testbed.note(
      `${heard} messages were handled meanwhile; the heap grew by ${(grown / 2 ** 20).toFixed(2)} MB`,
    );
    equal(afterwards, 0, 'no message is handled after the end of its subscription');
    ok(grown < MAX_GROWTH_BYTES, `the heap grows by less than 3 MB, and not by ${grown} bytes`);
    const counts = await testbed.command('PUBSUB', 'NUMSUB', FILLS.name, TICKS.name, ALERTS.name);
    equal(String(counts), 'FILLS,1,TICKS,0,ALERTS,0', 'the server has only the subscription that stayed');
  },
};

export const closeInBurst: Scenario = {
  name: '24-close-in-burst',
  expected:
    'close() in the middle of a burst: what was received is handled, then it ends, and the process with it.',
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
    const { handled, received, lost, tookMs, handledAfterwards } = closed as Record<string, number>;
    testbed.note(
      `received ${received}, handled ${handled}, told as dropped ${lost}; close() took ${tookMs} ms`,
    );
    equal(Number(handled) + Number(lost), received, 'what was received is handled, or told as dropped');
    ok(Number(handled) > settings.after, 'there was more to handle when close() was called');
    equal(handledAfterwards, 0, 'nothing is handled after close() has resolved');
    ok(Number(tookMs) < 6_000, `close() ends within its time limit of 5 s; it took ${tookMs} ms`);
    equal(code, 0, 'the process ends by itself');
  },
};
