// A server that comes back with an older memory: what was published last was delivered to some, and the server knows nothing of it.

import { ok } from 'node:assert/strict';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Testimony } from '@tickbus/fault-kit/records';
import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import type { RedisPublisher } from 'tickbus';
import { Candidate } from '../candidate.ts';
import { FILLS, LEASED_FILLS, LEASED_TICKS, type NoteChannel, TICKS } from '../channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Listener, Stage } from '../stage.ts';
import { within } from '../wait.ts';

const AOF = ['--appendonly', 'yes', '--aof-load-truncated', 'yes'];

export const olderSnapshot: Scenario = {
  name: '25-older-snapshot',
  expected:
    'Killed, and started again from a snapshot without the tail: a gap of cause epoch is reported, in whatever order all reconnect.',
  waits: 'busy',
  server: { keepsData: true },
  run: (stage) =>
    forgetTails(stage, {
      remember: () => stage.command('SAVE'),
      async forget() {
        await stage.redis.kill();
        await stage.redis.start();
      },
    }),
};

export const tornAppendOnlyFile: Scenario = {
  name: '26-torn-append-only-file',
  expected:
    'Killed, and started again with an append-only file whose last bytes are missing: as with an older snapshot.',
  waits: 'busy',
  server: { keepsData: true, args: AOF },
  run(stage) {
    const file = join(stage.redis.dataDir ?? '', 'appendonlydir', 'appendonly.aof.1.incr.aof');
    let kept = 0;
    return forgetTails(stage, {
      async remember() {
        kept = statSync(file).size;
      },
      async forget() {
        await stage.redis.kill();
        const { size } = statSync(file);
        ok(size > kept, 'the tail has been written to the file');
        truncateSync(file, kept + stage.random.int(0, Math.floor((size - kept) / 2)));
        await stage.redis.start();
      },
    });
  },
};

export const promotedReplica: Scenario = {
  name: '28-promoted-replica',
  expected:
    'A replica without the tail is promoted at the same address: as with an older snapshot, and nothing comes twice.',
  waits: 'busy',
  async run(stage) {
    const pair = await ReplicaPair.start(stage.random.fork('replication'));
    stage.atEnd(() => pair[Symbol.asyncDispose]());
    stage.moveTo(pair.master);
    await forgetTails(stage, {
      async remember() {
        await pair.catchUp();
        pair.lag();
      },
      async forget(addresses) {
        const former = pair.master;
        await former.kill();
        await pair.promote();
        stage.moveTo(pair.master);
        for (const address of addresses) address.switchTo(pair.master.port);
        await former.start();
        await pair.demote();
      },
    });
  },
};

interface Loss {
  /** What is published from here on is the tail. */
  remember(): Promise<unknown>;
  /** Returns when a server that lacks the tail answers behind these addresses. */
  forget(addresses: readonly TcpProxy[]): Promise<void>;
}

interface Writer {
  readonly channel: NoteChannel;
  readonly publisher: RedisPublisher;
}

const KEYS = ['A', 'B', 'C', 'D', 'E'];
const KEPT = 100;
const TAIL = 50;
/** More than the tail, whose numbers are then all used again, and fewer. */
const AFTERWARDS = [80, 20];
const IN_A_ROW = 10;

/**
 * The server loses a tail, once for each of `AFTERWARDS`. Three subscribers on each channel: `early` is back before the writers, `late`
 * after they have published more, and `deaf` too, who has not heard the tail. The writers are shared on two channels, and hold the lease
 * of two.
 */
async function forgetTails(stage: Stage, loss: Loss): Promise<void> {
  const [writing, early, late, deaf] = [
    await stage.proxy(),
    await stage.proxy(),
    await stage.proxy(),
    await stage.proxy(),
  ];
  const addresses = [writing, early, late, deaf];
  const writers = await startWriters(stage, writing.port);
  const listen = (name: string, { port }: TcpProxy) =>
    Promise.all(writers.map(({ channel }) => stage.listen(channel, { port, name })));
  const listeners = {
    early: await listen('early', early),
    late: await listen('late', late),
    deaf: await listen('deaf', deaf),
  };
  for (const afterwards of AFTERWARDS) {
    await sendAll(stage, writers, KEPT);
    await stage.settle();
    await loss.remember();
    deaf.inject({ type: 'blackhole' }, 'to_client');
    await sendAll(stage, writers, TAIL);
    await stage.settle([...listeners.early, ...listeners.late]);

    const lostAt = performance.now();
    for (const address of addresses) address.refuse();
    for (const address of addresses) address.reset();
    await loss.forget(addresses);
    early.heal();
    await allLive(listeners.early, lostAt);
    writing.heal();
    for (const { channel, publisher } of writers) await stage.sendUntilAccepted(publisher, channel);
    await sendAll(stage, writers, afterwards);
    late.heal();
    deaf.heal();
    await allLive([...listeners.late, ...listeners.deaf], lostAt);
    for (const { channel, publisher } of writers) await stage.sendUntilAccepted(publisher, channel);
    await stage.settle();
  }
  const silent = Object.values(listeners)
    .flat()
    .filter(({ witness }) => epochGaps(witness.testimony) < AFTERWARDS.length)
    .map(({ witness, channel }) => `${witness.testimony.name} on ${channel}`);
  ok(silent.length === 0, `each loss is a gap of cause epoch; not reported: ${silent.join(', ')}`);
}

async function startWriters(stage: Stage, port: number): Promise<Writer[]> {
  const shared = stage.publisher(port);
  const candidates = [
    await Candidate.join(stage, LEASED_TICKS, { port }),
    await Candidate.join(stage, LEASED_FILLS, { port }),
  ];
  for (const candidate of candidates) await candidate.held();
  return [{ channel: TICKS, publisher: shared }, { channel: FILLS, publisher: shared }, ...candidates];
}

/** On each channel so many, a few at a time, so that some are batches and some come alone. */
async function sendAll(stage: Stage, writers: readonly Writer[], count: number): Promise<void> {
  const sending: Promise<unknown>[] = [];
  for (let sent = 0; sent < count; sent++) {
    for (const { channel, publisher } of writers)
      sending.push(stage.send(publisher, channel, { key: KEYS[sent % KEYS.length] ?? 'A' }));
    if (sent % IN_A_ROW === 0) await Promise.all(sending);
  }
  await Promise.all(sending);
}

function epochGaps({ gaps }: Testimony): number {
  return gaps.filter(({ cause }) => cause === 'epoch').length;
}

async function allLive(listeners: readonly Listener[], since: number): Promise<void> {
  for (const { statuses, witness } of listeners)
    await within(`${witness.testimony.name} is live again`, statuses.first('live', since));
}
