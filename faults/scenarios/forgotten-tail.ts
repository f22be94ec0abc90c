// A server returns without its latest messages (the tail), although some of them were already delivered.

import { ok } from 'node:assert/strict';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { HandlerHistory } from '@tickbus/fault-kit/records';
import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import type { RedisPublisher } from 'tickbus';
import { type FaultChannel, FILLS, LEASED_FILLS, LEASED_TICKS, TICKS } from '../fault-channels.ts';
import { LeaseCandidate } from '../lease-candidate.ts';
import type { Scenario } from '../scenario.ts';
import type { RecordedSubscriber, Testbed } from '../testbed.ts';
import { within } from '../wait.ts';

const AOF = ['--appendonly', 'yes', '--aof-load-truncated', 'yes'];

export const olderSnapshot: Scenario = {
  name: '25-older-snapshot',
  expected:
    'After a restart from a snapshot without the tail, a gap of cause epoch is reported, in any order of reconnects.',
  waits: 'busy',
  server: { keepsData: true },
  run: (testbed) =>
    forgetTails(testbed, {
      remember: () => testbed.command('SAVE'),
      async forget() {
        await testbed.redis.kill();
        await testbed.redis.start();
      },
    }),
};

export const tornAppendOnlyFile: Scenario = {
  name: '26-torn-append-only-file',
  expected: 'After a restart with a truncated append-only file, a gap of cause epoch is reported.',
  waits: 'busy',
  server: { keepsData: true, args: AOF },
  run(testbed) {
    const file = join(testbed.redis.dataDir ?? '', 'appendonlydir', 'appendonly.aof.1.incr.aof');
    let kept = 0;
    return forgetTails(testbed, {
      async remember() {
        kept = statSync(file).size;
      },
      async forget() {
        await testbed.redis.kill();
        const { size } = statSync(file);
        ok(size > kept, 'the tail has been written to the file');
        truncateSync(file, kept + testbed.random.int(0, Math.floor((size - kept) / 2)));
        await testbed.redis.start();
      },
    });
  },
};

export const promotedReplica: Scenario = {
  name: '28-promoted-replica',
  expected:
    'After promotion of a replica without the tail, a gap of cause epoch is reported, and no message is duplicated.',
  waits: 'busy',
  async run(testbed) {
    const pair = await ReplicaPair.start(testbed.random.fork('replication'));
    testbed.atEnd(() => pair[Symbol.asyncDispose]());
    testbed.moveTo(pair.master);
    await forgetTails(testbed, {
      async remember() {
        await pair.catchUp();
        pair.lag();
      },
      async forget(proxies) {
        const former = pair.master;
        await former.kill();
        await pair.promote();
        testbed.moveTo(pair.master);
        for (const proxy of proxies) proxy.switchTo(pair.master.port);
        await former.start();
        await pair.demote();
      },
    });
  },
};

interface TailLoss {
  /** Messages published after this call are the tail. */
  remember(): Promise<unknown>;
  /** Resolves when a server without the tail runs behind these proxies. */
  forget(proxies: readonly TcpProxy[]): Promise<void>;
}

interface ChannelWriter {
  readonly channel: FaultChannel;
  readonly publisher: RedisPublisher;
}

const KEYS = ['A', 'B', 'C', 'D', 'E'];
const KEPT = 100;
const TAIL = 50;
/** Messages published after each loss: first more than the tail had, then fewer. */
const COUNTS_AFTER = [80, 20];
const MAX_BATCH = 10;

/**
 * The server loses its latest messages (the tail), once per entry of `COUNTS_AFTER`. A channel has three subscribers:
 *
 * - `early` reconnects before the writers.
 * - `late` reconnects after the writers have published again.
 * - `deaf` reconnects with `late`, and never received the tail.
 *
 * Two channels have a shared writer (without a lease), and two have an exclusive writer.
 */
async function forgetTails(testbed: Testbed, loss: TailLoss): Promise<void> {
  const [writing, early, late, deaf] = [
    await testbed.proxy(),
    await testbed.proxy(),
    await testbed.proxy(),
    await testbed.proxy(),
  ];
  const proxies = [writing, early, late, deaf];
  const writers = await startWriters(testbed, writing.port);
  const listen = (name: string, { port }: TcpProxy) =>
    Promise.all(writers.map(({ channel }) => testbed.listen(channel, { port, name })));
  const listeners = {
    early: await listen('early', early),
    late: await listen('late', late),
    deaf: await listen('deaf', deaf),
  };
  for (const countAfter of COUNTS_AFTER) {
    await sendAll(testbed, writers, KEPT);
    await testbed.settle();
    await loss.remember();
    deaf.inject({ type: 'blackhole' }, 'to_client');
    await sendAll(testbed, writers, TAIL);
    await testbed.settle([...listeners.early, ...listeners.late]);

    const lostAt = performance.now();
    for (const proxy of proxies) proxy.refuse();
    for (const proxy of proxies) proxy.reset();
    await loss.forget(proxies);
    early.heal();
    await allLive(listeners.early, lostAt);
    writing.heal();
    for (const { channel, publisher } of writers) await testbed.sendUntilAccepted(publisher, channel);
    await sendAll(testbed, writers, countAfter);
    late.heal();
    deaf.heal();
    await allLive([...listeners.late, ...listeners.deaf], lostAt);
    for (const { channel, publisher } of writers) await testbed.sendUntilAccepted(publisher, channel);
    await testbed.settle();
  }
  const missing = Object.values(listeners)
    .flat()
    .filter(({ recorder }) => epochGaps(recorder.history) < COUNTS_AFTER.length)
    .map(({ recorder, channel }) => `${recorder.history.name} on ${channel}`);
  ok(missing.length === 0, `each loss is reported as a gap of cause epoch; missing: ${missing.join(', ')}`);
}

async function startWriters(testbed: Testbed, port: number): Promise<ChannelWriter[]> {
  const shared = testbed.publisher(port);
  const candidates = [
    await LeaseCandidate.join(testbed, LEASED_TICKS, { port }),
    await LeaseCandidate.join(testbed, LEASED_FILLS, { port }),
  ];
  for (const candidate of candidates) await candidate.untilHeld();
  return [{ channel: TICKS, publisher: shared }, { channel: FILLS, publisher: shared }, ...candidates];
}

/** Sends `count` messages on each channel, as batches and single messages. */
async function sendAll(testbed: Testbed, writers: readonly ChannelWriter[], count: number): Promise<void> {
  const sending: Promise<unknown>[] = [];
  for (let sent = 0; sent < count; sent++) {
    for (const { channel, publisher } of writers)
      sending.push(testbed.send(publisher, channel, { key: KEYS[sent % KEYS.length] ?? 'A' }));
    if (sent % MAX_BATCH === 0) await Promise.all(sending);
  }
  await Promise.all(sending);
}

function epochGaps({ gaps }: HandlerHistory): number {
  return gaps.filter(({ cause }) => cause === 'epoch').length;
}

async function allLive(listeners: readonly RecordedSubscriber[], since: number): Promise<void> {
  for (const { statuses, recorder } of listeners)
    await within(`${recorder.history.name} is live again`, statuses.first('live', since));
}
