// A random program of publishes and faults on one channel with partitions.

import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalRedis } from '@tickbus/local-redis';
import { RedisConnection } from '../../connection.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Position } from '../../wire/position.ts';
import { createUser, newPlainClient } from '../integration/integration.fixture.ts';
import { check } from './program-check.fixture.ts';
import { inject } from './program-faults.fixture.ts';
import {
  type Fault,
  KEYS,
  newChannel,
  PartitionCandidate,
  type ProgramOptions,
  type Sent,
  World,
} from './program-world.fixture.ts';

interface ProgramResult {
  readonly problems: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const world = new World(options);
  const { random } = world;
  const { kind, counts, ms } = options;
  const channel = newChannel(kind);
  const logger = world.log;
  const rules = ['~*', '&*', '+@all'];
  world.redis = await startLocalRedis({ keepsData: true, args: ['--enable-debug-command', 'yes'] });
  await createUser(world.redis, 'writer', ...rules);
  world.admin = newPlainClient(world.redis.url);
  await world.admin.connect();

  const direct = new RedisConnection({ url: world.redis.url, logger });
  const subscriber = new RedisSubscriber({ connection: direct, logger });
  subscriber.on('gap', (gap) => world.gaps.push({ ...gap, at: performance.now() }));
  subscriber.subscribe(channel, ({ data, snapshot, conflated }) => {
    world.seen.push({ ...data, snapshot: snapshot === true, conflated: conflated ?? 0 });
  });
  await subscriber.startListening();
  const plain = newPlainClient(world.redis.url);
  if (options.plainClient === true) {
    await plain.connect();
    await plain.pSubscribe('ATTACK#*', (text, name) => note(world, text, name));
    await plain.subscribe('ATTACK', (text, name) => note(world, text, name));
  }

  const candidates = [new PartitionCandidate('A', world), new PartitionCandidate('B', world)] as const;
  for (const one of candidates) await one.open(counts[0]);
  const end = performance.now() + ms;
  let nextFault = performance.now() + 100;
  const running: Promise<unknown>[] = [];
  let isFaulty = false;
  while (performance.now() < end) {
    const size = random.pick([1, 2, 8, 20, 40]);
    const keys = Array.from({ length: size }, () => random.pick(KEYS as [string, ...string[]]));
    for (const one of candidates) one.publish(keys);
    await sleep(random.int(0, 4));
    if (performance.now() < nextFault || isFaulty) continue;
    const fault = random.pick(options.faults as [Fault, ...Fault[]]);
    const victim =
      candidates.find((one) => one.holds && random.percent(80)) ??
      random.pick([...candidates] as [PartitionCandidate, ...PartitionCandidate[]]);
    world.done.push(fault);
    isFaulty = true;
    running.push(
      inject(world, fault, victim, rules).finally(() => {
        isFaulty = false;
        nextFault = performance.now() + random.int(20, 250);
      }),
    );
  }
  const problems: string[] = [];
  await Promise.all(running);

  // Everything works again, and the last message of each key arrives.
  const until = performance.now() + 15_000;
  const last = new Map<string, number>();
  const isComplete = () => {
    const newest = new Map<string, number>();
    for (const { key, n } of world.seen) newest.set(key, n);
    return KEYS.every((key) => last.has(key) && newest.get(key) === last.get(key));
  };
  const finals: Sent[] = [];
  while (!isComplete() && performance.now() < until) {
    for (const key of KEYS) {
      if (last.has(key)) continue;
      const from = world.sent.length;
      for (const one of candidates) one.publish([key]);
      finals.push(...world.sent.slice(from));
    }
    await sleep(100);
    for (const { key, n, outcome } of finals)
      if (outcome === 'published') last.set(key, Math.max(n, last.get(key) ?? 0));
  }
  if (!isComplete()) {
    const holders = candidates.map((one) => `${one.name} holds ${one.holds} ${one.problem ?? ''}`);
    const missing = KEYS.filter((key) => !last.has(key));
    problems.push(
      `no recovery: ${holders.join(', ')}; unpublished ${missing}; ${JSON.stringify(subscriber.status(channel))}`,
    );
    problems.push(
      ...world.log.lines.slice(-10).map(({ level, text, message }) => `${level} ${message} ${text}`),
    );
  }
  for (let i = 0; i < 50 && world.sent.some(({ outcome }) => outcome === undefined); i++) await sleep(100);
  problems.push(...check(world));
  await subscriber.close({ timeoutMs: 0 });
  await Promise.all(candidates.map((one) => one.close()));
  await direct.close();
  plain.destroy();
  world.admin.destroy();
  await world.redis[Symbol.asyncDispose]();
  const figures: Record<string, number> = {
    sent: world.sent.length,
    seen: world.seen.length,
    gaps: world.gaps.length,
  };
  for (const { outcome = 'pending' } of world.sent) figures[outcome] = (figures[outcome] ?? 0) + 1;
  for (const fault of world.done) figures[`fault ${fault}`] = (figures[`fault ${fault}`] ?? 0) + 1;
  return { problems, figures };
}

function note(world: World, text: string, channel: string): void {
  const { data, epoch, seq } = JSON.parse(text) as { data: { n: number; key: string } } & Position;
  world.wire.push({ channel, n: data.n, key: data.key, at: { epoch, seq } });
}
