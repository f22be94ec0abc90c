// Connections are cut repeatedly, or all at once.

import { equal, ok } from 'node:assert/strict';
import { FILLS, TICKS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { delay, within } from '../wait.ts';

const KILL_EVERY_MS = 500;
const SEND_EVERY_MS = 5;

export const clientKill: Scenario = {
  name: '02-client-kill',
  expected:
    'With every connection killed every 500 ms for 60 s, all messages are recovered and none is duplicated.',
  waits: 'long',
  shortened: '5 s instead of 60',
  async run(testbed) {
    const publisher = testbed.publisher();
    const fills = [await testbed.listen(FILLS), await testbed.listen(FILLS)];
    await testbed.listen(TICKS);
    const endsAt = performance.now() + testbed.scaled(60_000, 5_000);
    let kills = 0;
    const killing = (async () => {
      while (performance.now() < endsAt) {
        await delay(KILL_EVERY_MS);
        for (const type of ['normal', 'pubsub'])
          kills += Number(await testbed.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes'));
      }
    })();
    testbed.reportWaiting();
    while (performance.now() < endsAt) {
      const key = testbed.random.pick(['A', 'B', 'C', 'D']);
      await Promise.all([testbed.send(publisher, FILLS), testbed.send(publisher, TICKS, { key })]);
      await delay(SEND_EVERY_MS);
    }
    await killing;
    await testbed.sendUntilAccepted(publisher, FILLS);
    await testbed.sendUntilAccepted(publisher, TICKS);
    await testbed.settle();
    const gaps = fills.flatMap(({ recorder }) => recorder.history.gaps);
    const repaired = gaps.filter((gap) => gap.repaired);
    testbed.note(
      `${kills} connections killed; ${gaps.length} gaps on FILLS, ${repaired.length} of them repaired`,
    );
    equal(repaired.length, gaps.length, 'every gap of a channel with history is repaired');
    ok(kills > 0 && gaps.length > 0, 'connections were killed, and messages were missed');
  },
};

const SUBSCRIBERS = 200;

export const manyReconnect: Scenario = {
  name: '22-two-hundred-reconnect',
  expected: '200 subscribers that lose their connection at the same time are live again within 5 s.',
  async run(testbed) {
    const publisher = testbed.publisher();
    const listeners = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, (_, index) => testbed.listen(FILLS, { name: `bot ${index + 1}` })),
    );
    const allLive = (since: number) =>
      Promise.all(listeners.map(({ statuses }) => statuses.first('live', since))).then((moments) =>
        Math.max(...moments),
      );
    await testbed.send(publisher, FILLS);
    const cutAt = performance.now();
    await testbed.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const tookCut = await testbed.bounded('All live after CLIENT KILL', 5_000, cutAt, allLive(cutAt));
    const between = await testbed.sendUntilAccepted(publisher, FILLS);
    for (const { recorder } of listeners)
      await within(
        'Each receives the next message',
        recorder.until(({ seen }) => seen.at(-1)?.n === between.n),
      );

    const killedAt = performance.now();
    await testbed.redis.kill();
    await delay(testbed.scaled(2_000, 300));
    await testbed.redis.start();
    const upAt = performance.now();
    const tookRestart = await testbed.bounded('All live after a restart', 5_000, upAt, allLive(killedAt));
    testbed.note(
      `all live ${tookCut} ms after CLIENT KILL, ${tookRestart} ms after the restarted server was up`,
    );
    const last = await testbed.sendUntilAccepted(publisher, FILLS);
    for (const { recorder } of listeners)
      await within(
        'Each receives the next message',
        recorder.until(({ seen }) => seen.at(-1)?.n === last.n),
      );
  },
};
