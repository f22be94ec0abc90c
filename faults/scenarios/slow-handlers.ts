// Subscribers that do not keep up.

import { equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Testimony } from '@tickbus/fault-kit/records';
import type { Position, SubscriberStatus } from 'tickbus';
import { ALERTS, TICKS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { eventually, pass } from '../wait.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { ListenSettings } from '../workers/listen.ts';

/** How many publishes are on their way at once. */
const AT_ONCE = 500;

export const eventLoopBlocked: Scenario = {
  name: '10-event-loop-blocked',
  expected:
    'With its event loop blocked for 10 s under 200,000 messages, a bot is told that it is slow and the exact gap, and has the latest price.',
  shortened: '3 s and 30,000 larger messages instead of 10 s and 200,000',
  async run(stage) {
    const [blockMs, count, bytes] = stage.scaled([10_000, 200_000, 250], [3_000, 30_000, 2_000]);
    const settings: ListenSettings = {
      port: stage.redis.port,
      name: 'blocked bot',
      channels: [TICKS.name, ALERTS.name],
    };
    const worker = new WorkerProcess('listen', { ...settings });
    stage.atEnd(() => worker.kill());
    await worker.hears('ready');
    const publisher = stage.publisher();
    const folder = mkdtempSync(join(tmpdir(), 'tickbus-faults-'));
    stage.atEnd(() => rmSync(folder, { recursive: true }));
    const untilFile = join(folder, 'published');
    worker.say({ type: 'block', ms: blockMs, untilFile });
    await worker.hears('blocking');
    const text = 'x'.repeat(bytes);
    const blockedAt = performance.now();
    for (let sent = 0; sent < count; sent += AT_ONCE) {
      const one = (_: unknown, index: number) =>
        stage.send(publisher, index % 2 ? TICKS : ALERTS, { key: `S${stage.random.int(1, 50)}`, text });
      await Promise.all(Array.from({ length: AT_ONCE }, one));
    }
    const tookMs = Math.round(performance.now() - blockedAt);
    stage.note(`${count} messages in ${tookMs} ms, while it was blocked`);
    await pass(Math.max(0, blockMs - tookMs));
    writeFileSync(untilFile, '');
    for (const channel of [TICKS, ALERTS]) await stage.sendUntilAccepted(publisher, channel);
    const { testimonies, statuses } = await reportOf(worker, stage);
    stage.ledger.merge([], testimonies);
    const [ticks, alerts] = testimonies;
    const blocked = statuses.filter((status) => status.type === 'slow' && status.cause === 'blocked');
    ok(blocked.length > 0, 'it is told that its event loop was blocked');
    const lost = alerts?.gaps.reduce((sum, gap) => sum + (gap.lost ?? 0), 0) ?? 0;
    const saw = alerts?.seen.length ?? 0;
    const top = Number(await stage.command('HGET', `tickbus:{${ALERTS}}:head`, 'seq'));
    equal(saw + lost, top, 'what it saw and what it was told is lost is all there was');
    ok(lost > 0, 'more was published than it could take');
    const latest = new Map(
      stage.ledger.sent.filter(({ channel }) => channel === TICKS.name).map(({ key, n }) => [key, n]),
    );
    const has = new Map(ticks?.seen.map(({ key, n }) => [key, n]));
    for (const [key, n] of latest) equal(has.get(key), n, `the latest price of ${key}`);
    stage.note(
      `on ALERTS it saw ${saw} and was told of ${lost} lost; on TICKS it saw ${ticks?.seen.length}, and the latest of all`,
    );
  },
};

export const slowAndFast: Scenario = {
  name: '11-slow-and-fast',
  expected: 'A slow handler, beside a fast one and in another process, costs the fast one nothing.',
  shortened: '5,000 messages instead of 20,000',
  async run(stage) {
    const count = stage.scaled(20_000, 5_000);
    const settings: ListenSettings = {
      port: stage.redis.port,
      name: 'slow bot',
      channels: [ALERTS.name],
      queueLimit: 200,
      handlerMs: 1,
    };
    const worker = new WorkerProcess('listen', { ...settings });
    stage.atEnd(() => worker.kill());
    await worker.hears('ready');
    const { subscriber } = stage.subscriber();
    const fast = stage.attach(subscriber, ALERTS, { name: 'fast', mayOverflow: false });
    const slow = stage.attach(subscriber, ALERTS, { name: 'slow', queueLimit: 50, also: () => pass(1) });
    await subscriber.startListening();
    for (const witness of [fast, slow]) witness.expectsAll();
    const alone = await stage.listen(ALERTS, { name: 'fast, alone' });
    const publisher = stage.publisher();
    for (let sent = 0; sent < count; sent += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => stage.send(publisher, ALERTS)));
    await eventually(
      'The slow handler has come to the end',
      () => subscriber.status(ALERTS)?.queueDepth === 0,
    );
    await stage.settle();
    stage.ledger.merge([], (await reportOf(worker, stage)).testimonies);
    equal(fast.testimony.seen.length, count, 'the fast handler beside the slow one saw everything');
    equal(alone.witness.testimony.seen.length, count, 'the fast handler of its own saw everything');
    const [, , , other] = stage.ledger.testimonies;
    ok(slow.testimony.gaps.length > 0, 'the slow handler was told of its overflow');
    stage.note(
      `of ${count}, the slow handler saw ${slow.testimony.seen.length}, the slow process ${other?.seen.length}`,
    );
  },
};

interface Report extends Readonly<Record<string, unknown>> {
  readonly testimonies: readonly Testimony[];
  readonly statuses: readonly SubscriberStatus[];
}

interface Whereabouts extends Readonly<Record<string, unknown>> {
  readonly channels: readonly {
    readonly channel: string;
    readonly mode: string;
    readonly position?: Position;
    readonly queueDepth: number;
  }[];
}

/** What a listening process has written down, once it has caught up. */
async function reportOf(worker: WorkerProcess, stage: Stage): Promise<Report> {
  await eventually(
    'The other process has caught up',
    async () => {
      worker.say({ type: 'where' });
      const { channels } = await worker.hears<Whereabouts>('there');
      for (const { channel, mode, position, queueDepth } of channels) {
        const seq = await stage.command('HGET', `tickbus:{${channel}}:head`, 'seq');
        if (mode !== 'live' || position?.seq !== Number(seq) || queueDepth > 0) return false;
      }
      return true;
    },
    60_000,
  );
  worker.say({ type: 'report' });
  return worker.hears<Report>('report');
}
