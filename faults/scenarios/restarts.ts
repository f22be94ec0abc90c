// Redis forgets: killed and started again, or emptied.

import { ok } from 'node:assert/strict';
import { FILLS, TICKS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Listener, Stage } from '../stage.ts';
import { pass, within } from '../wait.ts';

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
