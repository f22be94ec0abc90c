// Presence of 50 bots in five processes on a real server: crash, orderly end, SIGSTOP, cut links, restart of Redis.
// The scenario `presence` of `npm run faults` checks the time limits.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Presence } from '../../channel/schemas/presence.ts';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { presenceList } from '../../presence.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const PROGRAM = await bundledProgram(new URL('./named-bots.fixture.ts', import.meta.url));
const GROUPS = ['crashes', 'ends', 'stops', 'cut', 'stays'] as const;
const BOTS = 10;
const names = (...groups: readonly string[]) =>
  groups.flatMap((group) => Array.from({ length: BOTS }, (_, index) => `${group}-${index}`)).sort();

let redis: LocalRedis;
let proxy: TcpProxy;
let connection: RedisConnection;
let observer: RedisSubscriber;
const processes = new Map<string, ChildProcess>();
/** The states of each name, as reported. */
const reports = new Map<string, Presence['state'][]>();

beforeAll(async () => {
  redis = await startLocalRedis();
  proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
  connection = new RedisConnection({ url: redis.url, logger: silentLogger });
  observer = new RedisSubscriber({ connection, logger: silentLogger });
  observer.subscribe(CHANNELS.PRESENCE, ({ data: { name, state } }) => {
    reports.set(name, [...(reports.get(name) ?? []), state]);
  });
  await observer.startListening();
  await Promise.all(GROUPS.map(startProcess));
});
afterAll(async () => {
  for (const child of processes.values()) child.kill('SIGKILL');
  await observer.close();
  await connection.close();
  await proxy.close();
  await redis.kill();
});

async function startProcess(group: string): Promise<void> {
  const url = group === 'cut' ? `redis://127.0.0.1:${proxy.port}` : redis.url;
  const child = spawn(process.execPath, [PROGRAM, url, group, String(BOTS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  processes.set(group, child);
  await once(child.stdout, 'data');
}

function processOf(group: (typeof GROUPS)[number]): ChildProcess {
  const child = processes.get(group);
  if (child === undefined) throw new Error(`The process ${group} has not been started.`);
  return child;
}

/** Resolves when the last report about each of these bots is this state. */
async function untilLast(state: Presence['state'], ...groups: readonly string[]): Promise<void> {
  const since = performance.now();
  const last = () => [...new Set(names(...groups).map((name) => reports.get(name)?.at(-1)))];
  await expect.poll(last).toEqual([state]);
  console.log(`${groups}: ${state} after ${Math.round(performance.now() - since)} ms`);
}

const present = async () => (await presenceList(connection)).map(({ name }) => name).sort();

it('reports all as joined, with their channels', async () => {
  await untilLast('joined', ...GROUPS);
  const list = await presenceList(connection);
  expect(list.map(({ name }) => name)).toEqual(names(...GROUPS));
  expect(list[0]).toMatchObject({ subscribes: ['PRICE_DATA'], pid: processOf('crashes').pid });
});

it('reports an orderly end as left, never as gone', async () => {
  processOf('ends').stdin?.end();
  await untilLast('left', 'ends');
  await once(processOf('ends'), 'exit');
  expect(await present()).toEqual(names('crashes', 'stops', 'cut', 'stays'));
});

it('reports a crash as gone', async () => {
  processOf('crashes').kill('SIGKILL');
  await untilLast('gone', 'crashes');
  expect(await present()).toEqual(names('stops', 'cut', 'stays'));
  // The records of the others have expired by now, too.
  await untilLast('left', 'ends');
  for (const name of names('ends')) expect(reports.get(name)).not.toContain('gone');
});

it('reports a suspended process as gone, and as joined when it continues', async () => {
  processOf('stops').kill('SIGSTOP');
  await untilLast('gone', 'stops');
  processOf('stops').kill('SIGCONT');
  await untilLast('joined', 'stops');
});

it('reports bots with a silent link as gone, and as joined when it is back', async () => {
  proxy.inject({ type: 'blackhole' });
  await untilLast('gone', 'cut');
  expect(await present()).toEqual(names('stops', 'stays'));
  proxy.heal();
  await untilLast('joined', 'cut');
});

it('is right again after Redis has lost its memory', async () => {
  await redis.kill();
  reports.clear();
  await redis.start();
  await untilLast('joined', 'stops', 'cut', 'stays');
  await expect.poll(present).toEqual(names('stops', 'cut', 'stays'));
  const late = new RedisSubscriber({ connection, logger: silentLogger });
  const seen = new Set<string>();
  late.subscribe(CHANNELS.PRESENCE, ({ data: { name, state } }) => {
    if (state === 'joined') seen.add(name);
  });
  await late.startListening();
  await expect.poll(() => [...seen].sort()).toEqual(names('stops', 'cut', 'stays'));
  await late.close();
});

it('does not keep a process alive that closes its connections only', async () => {
  processOf('stays').stdin?.end('forget');
  await once(processOf('stays'), 'exit');
  await untilLast('gone', 'stays');
});
