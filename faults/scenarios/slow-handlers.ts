// Slow subscribers.

import { equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HandlerHistory } from '@tickbus/fault-kit/records';
import type { Position, SubscriberStatus } from 'tickbus';
import { ALERTS, TICKS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { ListenSettings } from '../workers/listen.ts';

/** Publishes in flight at the same time. */
const IN_FLIGHT = 500;

export const eventLoopBlocked: Scenario = {
  name: '10-event-loop-blocked',
  expected:
    'A bot blocked for 10 s under 200,000 messages gets a slow status, the exact gap, and the latest prices.',
  shortened: '3 s and 30,000 larger messages instead of 10 s and 200,000',
  async run(testbed) {
    const [blockMs, count, bytes] = testbed.scaled([10_000, 200_000, 250], [3_000, 30_000, 2_000]);
    const settings: ListenSettings = {
      url: testbed.redis.url,
      name: 'blocked bot',
      channels: [TICKS.name, ALERTS.name],
    };
    const worker = new WorkerProcess('listen', { ...settings });
    testbed.atEnd(() => worker.kill());
    await worker.receive('ready');
    const publisher = testbed.publisher();
    const folder = mkdtempSync(join(tmpdir(), 'tickbus-faults-'));
    testbed.atEnd(() => rmSync(folder, { recursive: true }));
    const untilFile = join(folder, 'published');
    worker.send({ type: 'block', ms: blockMs, untilFile });
    await worker.receive('blocking');
    const text = 'x'.repeat(bytes);
    const blockedAt = performance.now();
    for (let sent = 0; sent < count; sent += IN_FLIGHT) {
      const one = (_: unknown, index: number) =>
        testbed.send(publisher, index % 2 ? TICKS : ALERTS, { key: `S${testbed.random.int(1, 50)}`, text });
      await Promise.all(Array.from({ length: IN_FLIGHT }, one));
    }
    const tookMs = Math.round(performance.now() - blockedAt);
    testbed.note(`${count} messages in ${tookMs} ms, while the bot was blocked`);
    await delay(Math.max(0, blockMs - tookMs));
    writeFileSync(untilFile, '');
    for (const channel of [TICKS, ALERTS]) await testbed.sendUntilAccepted(publisher, channel);
    const { histories, statuses } = await reportOf(worker, testbed);
    testbed.ledger.merge([], histories);
    const [ticks, alerts] = histories;
    const blocked = statuses.filter((status) => status.type === 'slow' && status.cause === 'blocked');
    ok(blocked.length > 0, 'the blocked event loop is reported');
    const lost = alerts?.gaps.reduce((sum, gap) => sum + (gap.lost ?? 0), 0) ?? 0;
    const handled = alerts?.seen.length ?? 0;
    const head = Number(await testbed.command('HGET', `tickbus:{${ALERTS}}:head`, 'seq'));
    equal(handled + lost, head, 'handled and reported lost messages add up to all messages');
    ok(lost > 0, 'the queue overflowed');
    const latest = new Map(
      testbed.ledger.sent.filter(({ channel }) => channel === TICKS.name).map(({ key, n }) => [key, n]),
    );
    const handledLatest = new Map(ticks?.seen.map(({ key, n }) => [key, n]));
    for (const [key, n] of latest) equal(handledLatest.get(key), n, `the latest price of ${key}`);
    testbed.note(
      `ALERTS: ${handled} handled, ${lost} reported lost; ` +
        `TICKS: ${ticks?.seen.length} handled, with the latest of each key`,
    );
  },
};

export const slowAndFast: Scenario = {
  name: '11-slow-and-fast',
  expected: 'A slow handler, on the same subscriber or in another process, does not affect a fast handler.',
  shortened: '5,000 messages instead of 20,000',
  async run(testbed) {
    const count = testbed.scaled(20_000, 5_000);
    const settings: ListenSettings = {
      url: testbed.redis.url,
      name: 'slow bot',
      channels: [ALERTS.name],
      queueLimit: 200,
      handlerMs: 1,
    };
    const worker = new WorkerProcess('listen', { ...settings });
    testbed.atEnd(() => worker.kill());
    await worker.receive('ready');
    const { subscriber } = testbed.subscriber();
    const fast = testbed.attach(subscriber, ALERTS, { name: 'fast', mayOverflow: false });
    const slow = testbed.attach(subscriber, ALERTS, {
      name: 'slow',
      queueLimit: 50,
      onMessage: () => delay(1),
    });
    await subscriber.startListening();
    for (const recorder of [fast, slow]) recorder.expectFromHere();
    const alone = await testbed.listen(ALERTS, { name: 'fast, alone' });
    const publisher = testbed.publisher();
    for (let sent = 0; sent < count; sent += IN_FLIGHT)
      await Promise.all(Array.from({ length: IN_FLIGHT }, () => testbed.send(publisher, ALERTS)));
    await eventually(
      'The slow handler has an empty queue',
      () => subscriber.status(ALERTS)?.queueDepth === 0,
    );
    await testbed.settle();
    testbed.ledger.merge([], (await reportOf(worker, testbed)).histories);
    equal(fast.history.seen.length, count, 'the fast handler beside the slow one receives every message');
    equal(alone.recorder.history.seen.length, count, 'the separate fast handler receives every message');
    const [, , , other] = testbed.ledger.histories;
    ok(slow.history.gaps.length > 0, 'the overflow of the slow handler is reported');
    testbed.note(
      `of ${count}, the slow handler received ${slow.history.seen.length}, the slow process ${other?.seen.length}`,
    );
  },
};

interface SlowListenerReport extends Readonly<Record<string, unknown>> {
  readonly histories: readonly HandlerHistory[];
  readonly statuses: readonly SubscriberStatus[];
}

interface PositionsReport extends Readonly<Record<string, unknown>> {
  readonly channels: readonly {
    readonly channel: string;
    readonly mode: string;
    readonly position?: Position;
    readonly queueDepth: number;
  }[];
}

/** The report of a listening process after it has caught up. */
async function reportOf(worker: WorkerProcess, testbed: Testbed): Promise<SlowListenerReport> {
  await eventually(
    'The other process has caught up',
    async () => {
      worker.send({ type: 'positions' });
      const { channels } = await worker.receive<PositionsReport>('positions');
      for (const { channel, mode, position, queueDepth } of channels) {
        const seq = await testbed.command('HGET', `tickbus:{${channel}}:head`, 'seq');
        if (mode !== 'live' || position?.seq !== Number(seq) || queueDepth > 0) return false;
      }
      return true;
    },
    60_000,
  );
  worker.send({ type: 'report' });
  return worker.receive<SlowListenerReport>('report');
}
