// Redis loses its data: by a restart without persistence, or by FLUSHALL.

import { ok } from 'node:assert/strict';
import { FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import { delay, eventually, within } from '../wait.ts';

export const killAndRestart: Scenario = {
  name: '01-kill-and-restart',
  expected:
    'Subscribers are live within 1 s after the server restarts, and a gap of cause epoch is reported.',
  waits: 'short',
  shortened: 'one outage of 0.3 s instead of 0.2, 1 and 4 s',
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
        const isReported = recorder.until(({ gaps }) =>
          gaps.slice(gapsBefore[index]).some(({ cause }) => cause === 'epoch'),
        );
        await within('A gap of cause epoch', isReported);
        await testbed.sendUntilAccepted(publisher, channel);
      }
      await testbed.settle();
    }
  },
};

export const memoryLost: Scenario = {
  name: '19-memory-lost',
  expected:
    'After FLUSHALL, and after a restart without persistence, a new epoch begins and no old message is delivered.',
  async run(testbed) {
    const publisher = testbed.publisher();
    const listeners = [await testbed.listen(FILLS), await testbed.listen(TICKS)];
    await loseData(async () => {
      await testbed.command('FLUSHALL');
    });
    await loseData(async () => {
      await testbed.redis.kill();
      await testbed.redis.start();
    });
    await testbed.settle();

    async function loseData(lose: () => Promise<void>) {
      for (const key of ['A', 'B', 'C'])
        for (const { channel } of listeners) await testbed.send(publisher, channel, { key });
      await testbed.settle();
      const before = listeners.map(
        ({ subscriber, channel }) => subscriber.status(channel)?.position?.epoch ?? 0,
      );
      const gapsBefore = listeners.map(({ recorder }) => recorder.history.gaps.length);
      await lose();
      for (const [index, { recorder }] of listeners.entries()) {
        const isReported = recorder.until(({ gaps }) =>
          gaps.slice(gapsBefore[index]).some(({ cause }) => cause === 'epoch'),
        );
        await within('A gap of cause epoch', isReported);
      }
      const first = await testbed.sendUntilAccepted(publisher, TICKS);
      await testbed.sendUntilAccepted(publisher, FILLS);
      await testbed.settle();
      listeners.forEach(({ subscriber, channel }, index) => {
        const epoch = subscriber.status(channel)?.position?.epoch ?? 0;
        ok(epoch > (before[index] ?? 0), `${channel} continues in a later epoch; it is in ${epoch}`);
      });
      const late = await testbed.listen(TICKS);
      await within(
        'A late joiner receives the new value',
        late.recorder.until(({ seen }) => seen.length > 0),
      );
      const old = late.recorder.history.seen.filter(({ n }) => n < first.n);
      ok(old.length === 0, `A late joiner received ${old.length} lost values`);
    }
  },
};

const FLUSH_EVERY_MS = 700;
const SLOW_MS = 30;
/** Longer than the interval at which a subscriber reads the latest position from the server (head check). */
const HEAD_CHECK_MS = 1_200;
const SEND_EVERY_MS = 5;

export const flushedWhilePublishing: Scenario = {
  name: '27-flushed-while-publishing',
  expected:
    'Each FLUSHALL while shared and exclusive writers publish begins a new epoch, and every loss is reported.',
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
    // Replies are delayed, so an exclusive writer sends more before it learns that the server rejects its messages.
    slow.inject({ type: 'delay', ms: SLOW_MS }, 'to_client');
    const writers = [
      { channel: FILLS, publisher: shared },
      { channel: TICKS, publisher: shared },
      ...candidates,
    ];
    const listeners = await Promise.all(writers.map(({ channel }) => testbed.listen(channel)));
    let isStopped = false;
    let isPaused = false;
    const sending = writers.map(async ({ channel, publisher }) => {
      const pending: Promise<unknown>[] = [];
      while (!isStopped) {
        for (let left = testbed.random.int(1, 10); left > 0; left--)
          pending.push(testbed.send(publisher, channel, { key: testbed.random.pick(['A', 'B', 'C']) }));
        do await delay(SEND_EVERY_MS);
        while (isPaused);
      }
      await Promise.all(pending);
    });
    const flushes = testbed.scaled(15, 3);
    for (let left = flushes; left > 0; left--) {
      for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
      await delay(testbed.random.int(0, FLUSH_EVERY_MS));
      const terms = candidates.map(({ lease }) => lease.token);
      await testbed.command('FLUSHALL');
      // Every other time, publishing pauses. Then a head check detects the new epoch before its first message.
      if (left % 2 === 0) continue;
      await delay(2 * SLOW_MS);
      isPaused = true;
      for (const [index, { lease }] of candidates.entries())
        await eventually('A new term begins', () => lease.holds && lease.token !== terms[index]);
      await delay(HEAD_CHECK_MS);
      isPaused = false;
    }
    for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
    isStopped = true;
    await Promise.all(sending);
    for (const { publisher, channel } of writers) await testbed.sendUntilAccepted(publisher, channel);
    await testbed.settle();
    for (const { channel, recorder } of listeners) {
      const epochs = new Set(recorder.history.seen.map(({ position }) => position?.epoch)).size;
      const sent = testbed.ledger.sent.filter((one) => one.channel === channel.name);
      const of = (outcome: string) => sent.filter((one) => one.outcome === outcome).length;
      testbed.note(
        `${channel}: ${epochs} epochs after ${flushes} FLUSHALLs; ` +
          `${of('accepted')} accepted, ${of('refused')} refused, ${of('unknown')} unknown`,
      );
      ok(epochs > flushes, `each FLUSHALL begins a new epoch on ${channel}; there are ${epochs} in total`);
    }
  },
};
