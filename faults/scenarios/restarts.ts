// Redis forgets: killed and started again, or emptied.

import { ok } from 'node:assert/strict';
import { FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import type { RecordedSubscriber, Testbed } from '../testbed.ts';
import { delay, eventually, within } from '../wait.ts';

export const killAndRestart: Scenario = {
  name: '01-kill-and-restart',
  expected: 'Subscribed again within 1 s of the server being up, and a gap of cause epoch is told.',
  waits: 'short',
  shortened: 'the server is down once for 0.3 s, instead of 0.2, 1 and 4 s',
  async run(testbed) {
    const publisher = testbed.publisher();
    const listeners = [await testbed.listen(FILLS), await testbed.listen(TICKS)];
    for (const downMs of testbed.scaled([200, 1_000, 4_000], [300])) {
      for (let i = 0; i < 50; i++)
        for (const { channel } of listeners) await testbed.send(publisher, channel);
      await testbed.settle();
      const gapsBefore = listeners.map(({ recorder }) => recorder.history.gaps.length);
      const killedAt = performance.now();
      await testbed.redis.kill();
      await delay(downMs);
      await testbed.redis.start();
      const upAt = performance.now();
      for (const [index, { statuses, recorder, channel }] of listeners.entries()) {
        const live = statuses.first('live', killedAt);
        const took = await testbed.bounded(
          `Live again after ${downMs} ms without a server`,
          1_000,
          upAt,
          live,
        );
        testbed.note(`down ${downMs} ms: ${channel} live ${took} ms after the server was up`);
        const isTold = recorder.until(({ gaps }) =>
          gaps.slice(gapsBefore[index]).some(({ cause }) => cause === 'epoch'),
        );
        await within('A gap of cause epoch', isTold);
        await testbed.sendUntilAccepted(publisher, channel);
      }
      await testbed.settle();
    }
  },
};

export const memoryLost: Scenario = {
  name: '19-memory-lost',
  expected:
    'After FLUSHALL, and after a restart without persistence, the epoch changes and nothing old is delivered.',
  async run(testbed) {
    const publisher = testbed.publisher();
    const listeners = [await testbed.listen(FILLS), await testbed.listen(TICKS)];
    await memoryIsLost(testbed, listeners, async () => {
      await testbed.command('FLUSHALL');
    });
    await memoryIsLost(testbed, listeners, async () => {
      await testbed.redis.kill();
      await testbed.redis.start();
    });
    await testbed.settle();

    async function memoryIsLost(
      on: Testbed,
      present: readonly RecordedSubscriber[],
      loseIt: () => Promise<void>,
    ) {
      for (const key of ['A', 'B', 'C'])
        for (const { channel } of present) await on.send(publisher, channel, { key });
      await on.settle();
      const before = present.map(
        ({ subscriber, channel }) => subscriber.status(channel)?.position?.epoch ?? 0,
      );
      const gapsBefore = present.map(({ recorder }) => recorder.history.gaps.length);
      await loseIt();
      for (const [index, { recorder }] of present.entries()) {
        const isTold = recorder.until(({ gaps }) =>
          gaps.slice(gapsBefore[index]).some(({ cause }) => cause === 'epoch'),
        );
        await within('A gap of cause epoch', isTold);
      }
      const first = await on.sendUntilAccepted(publisher, TICKS);
      await on.sendUntilAccepted(publisher, FILLS);
      await on.settle();
      present.forEach(({ subscriber, channel }, index) => {
        const epoch = subscriber.status(channel)?.position?.epoch ?? 0;
        ok(epoch > (before[index] ?? 0), `${channel} goes on in a later epoch, and not in ${epoch}`);
      });
      const late = await on.listen(TICKS);
      await within(
        'A late bot hears the new value',
        late.recorder.until(({ seen }) => seen.length > 0),
      );
      const old = late.recorder.history.seen.filter(({ n }) => n < first.n);
      ok(old.length === 0, `A late bot was given ${old.length} values that Redis had forgotten`);
    }
  },
};

const FLUSH_EVERY_MS = 700;
const SLOW_MS = 30;
/** More than what passes between two looks of a subscriber at the head of its channel. */
const HEAD_CHECK_MS = 1_200;
const SEND_EVERY_MS = 5;

export const flushedWhilePublishing: Scenario = {
  name: '27-flushed-while-publishing',
  expected:
    'FLUSHALL in the middle of publishing, shared and exclusive: each time a new epoch, and no loss is silent.',
  waits: 'busy',
  shortened: '3 times instead of 15',
  async run(testbed) {
    const shared = testbed.publisher();
    const slow = await testbed.proxy();
    const { port } = slow;
    const candidates = [
      await LeaseCandidate.join(testbed, LEASED_FILLS, { port }),
      await LeaseCandidate.join(testbed, LEASED_TICKS, { port }),
    ];
    for (const candidate of candidates) await candidate.untilHeld();
    // Replies come late, so that an exclusive writer sends more before it hears that it has been fenced off.
    slow.inject({ type: 'delay', ms: SLOW_MS }, 'to_client');
    const writers = [
      { channel: FILLS, publisher: shared },
      { channel: TICKS, publisher: shared },
      ...candidates,
    ];
    const listeners = await Promise.all(writers.map(({ channel }) => testbed.listen(channel)));
    let isOver = false;
    let isQuiet = false;
    const sending = writers.map(async ({ channel, publisher }) => {
      const pending: Promise<unknown>[] = [];
      while (!isOver) {
        for (let left = testbed.random.int(1, 10); left > 0; left--)
          pending.push(testbed.send(publisher, channel, { key: testbed.random.pick(['A', 'B', 'C']) }));
        do await delay(SEND_EVERY_MS);
        while (isQuiet);
      }
      await Promise.all(pending);
    });
    const flushes = testbed.scaled(15, 3);
    for (let left = flushes; left > 0; left--) {
      for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
      await delay(testbed.random.int(0, FLUSH_EVERY_MS));
      const terms = candidates.map(({ lease }) => lease.token);
      await testbed.command('FLUSHALL');
      // Every other time subscribers find the new epoch by themselves, before its first message comes.
      if (left % 2 === 0) continue;
      await delay(2 * SLOW_MS);
      isQuiet = true;
      for (const [index, { lease }] of candidates.entries())
        await eventually('A new term begins', () => lease.holds && lease.token !== terms[index]);
      await delay(HEAD_CHECK_MS);
      isQuiet = false;
    }
    for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
    isOver = true;
    await Promise.all(sending);
    for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
    await testbed.settle();
    for (const { channel, recorder } of listeners) {
      const epochs = new Set(recorder.history.seen.map(({ position }) => position?.epoch)).size;
      const sent = testbed.ledger.sent.filter((one) => one.channel === channel.name);
      const of = (outcome: string) => sent.filter((one) => one.outcome === outcome).length;
      testbed.note(
        `${channel}: ${epochs} epochs of ${flushes} FLUSHALLs; ${of('accepted')} accepted, ${of('refused')} refused, ${of('unknown')} unknown`,
      );
      ok(epochs > flushes, `each FLUSHALL begins a new epoch on ${channel}, and not ${epochs} in all`);
    }
  },
};
