// Redis forgets: killed and started again, or emptied.

import { ok } from 'node:assert/strict';
import { Candidate } from '../candidate.ts';
import { FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Listener, Stage } from '../stage.ts';
import { eventually, pass, within } from '../wait.ts';

export const killAndRestart: Scenario = {
  name: '01-kill-and-restart',
  expected: 'Subscribed again within 1 s of the server being up, and a gap of cause epoch is told.',
  waits: 'short',
  shortened: 'the server is down once for 0.3 s, instead of 0.2, 1 and 4 s',
  async run(stage) {
    const publisher = stage.publisher();
    const listeners = [await stage.listen(FILLS), await stage.listen(TICKS)];
    for (const downMs of stage.scaled([200, 1_000, 4_000], [300])) {
      for (let i = 0; i < 50; i++) for (const { channel } of listeners) await stage.send(publisher, channel);
      await stage.settle();
      const gapsBefore = listeners.map(({ witness }) => witness.testimony.gaps.length);
      const killedAt = performance.now();
      await stage.redis.kill();
      await pass(downMs);
      await stage.redis.start();
      const upAt = performance.now();
      for (const [index, { statuses, witness, channel }] of listeners.entries()) {
        const live = statuses.first('live', killedAt);
        const took = await stage.bounded(`Live again after ${downMs} ms without a server`, 1_000, upAt, live);
        stage.note(`down ${downMs} ms: ${channel} live ${took} ms after the server was up`);
        const isTold = witness.until(({ gaps }) =>
          gaps.slice(gapsBefore[index]).some(({ cause }) => cause === 'epoch'),
        );
        await within('A gap of cause epoch', isTold);
        await stage.sendUntilAccepted(publisher, channel);
      }
      await stage.settle();
    }
  },
};

export const memoryLost: Scenario = {
  name: '19-memory-lost',
  expected:
    'After FLUSHALL, and after a restart without persistence, the epoch changes and nothing old is delivered.',
  async run(stage) {
    const publisher = stage.publisher();
    const listeners = [await stage.listen(FILLS), await stage.listen(TICKS)];
    await memoryIsLost(stage, listeners, async () => {
      await stage.command('FLUSHALL');
    });
    await memoryIsLost(stage, listeners, async () => {
      await stage.redis.kill();
      await stage.redis.start();
    });
    await stage.settle();

    async function memoryIsLost(on: Stage, present: readonly Listener[], loseIt: () => Promise<void>) {
      for (const key of ['A', 'B', 'C'])
        for (const { channel } of present) await on.send(publisher, channel, { key });
      await on.settle();
      const before = present.map(
        ({ subscriber, channel }) => subscriber.status(channel)?.position?.epoch ?? 0,
      );
      const gapsBefore = present.map(({ witness }) => witness.testimony.gaps.length);
      await loseIt();
      for (const [index, { witness }] of present.entries()) {
        const isTold = witness.until(({ gaps }) =>
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
        late.witness.until(({ seen }) => seen.length > 0),
      );
      const old = late.witness.testimony.seen.filter(({ n }) => n < first.n);
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
  async run(stage) {
    const shared = stage.publisher();
    const slow = await stage.proxy();
    const { port } = slow;
    const candidates = [
      await Candidate.join(stage, LEASED_FILLS, { port }),
      await Candidate.join(stage, LEASED_TICKS, { port }),
    ];
    for (const candidate of candidates) await candidate.held();
    // Replies come late, so that an exclusive writer sends more before it hears that it has been fenced off.
    slow.inject({ type: 'delay', ms: SLOW_MS }, 'to_client');
    const writers = [
      { channel: FILLS, publisher: shared },
      { channel: TICKS, publisher: shared },
      ...candidates,
    ];
    const listeners = await Promise.all(writers.map(({ channel }) => stage.listen(channel)));
    let isOver = false;
    let isQuiet = false;
    const sending = writers.map(async ({ channel, publisher }) => {
      const pending: Promise<unknown>[] = [];
      while (!isOver) {
        for (let left = stage.random.int(1, 10); left > 0; left--)
          pending.push(stage.send(publisher, channel, { key: stage.random.pick(['A', 'B', 'C']) }));
        do await pass(SEND_EVERY_MS);
        while (isQuiet);
      }
      await Promise.all(pending);
    });
    const flushes = stage.scaled(15, 3);
    for (let left = flushes; left > 0; left--) {
      for (const { publisher, channel } of writers) await stage.sendUntilAccepted(publisher, channel);
      await pass(stage.random.int(0, FLUSH_EVERY_MS));
      const terms = candidates.map(({ lease }) => lease.token);
      await stage.command('FLUSHALL');
      // Every other time subscribers find the new epoch by themselves, before its first message comes.
      if (left % 2 === 0) continue;
      await pass(2 * SLOW_MS);
      isQuiet = true;
      for (const [index, { lease }] of candidates.entries())
        await eventually('A new term begins', () => lease.holds && lease.token !== terms[index]);
      await pass(HEAD_CHECK_MS);
      isQuiet = false;
    }
    for (const { publisher, channel } of writers) await stage.sendUntilAccepted(publisher, channel);
    isOver = true;
    await Promise.all(sending);
    for (const { publisher, channel } of writers) await stage.sendUntilAccepted(publisher, channel);
    await stage.settle();
    for (const { channel, witness } of listeners) {
      const epochs = new Set(witness.testimony.seen.map(({ position }) => position?.epoch)).size;
      const sent = stage.ledger.sent.filter((one) => one.channel === channel.name);
      const of = (outcome: string) => sent.filter((one) => one.outcome === outcome).length;
      stage.note(
        `${channel}: ${epochs} epochs of ${flushes} FLUSHALLs; ${of('accepted')} accepted, ${of('refused')} refused, ${of('unknown')} unknown`,
      );
      ok(epochs > flushes, `each FLUSHALL begins a new epoch on ${channel}, and not ${epochs} in all`);
    }
  },
};
