// The faults of the soak. Each ends on its own, or is healed at the end of the round.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault, TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Random } from '@tickbus/test-kit/random';
import { ALERTS, FILLS, TRIMMED } from '../fault-channels.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { handOver, killHolder, type LeaseContest } from './lease-contest.ts';

interface FaultTargets {
  readonly testbed: Testbed;
  /** A random proxy. */
  readonly proxy: TcpProxy;
  /** The candidates of a random leased channel. */
  readonly contest: LeaseContest;
  readonly random: Random;
}

interface SoakFault {
  readonly name: string;
  readonly inject: (targets: FaultTargets) => Promise<unknown>;
}

export const FAULTS: readonly [SoakFault, ...SoakFault[]] = [
  { name: 'reset', inject: async ({ proxy }) => proxy.reset() },
  {
    name: 'blackhole',
    inject: (targets) => injectOnWire(targets, { type: 'blackhole' }, 5_000),
  },
  { name: 'stall', inject: (targets) => injectOnWire(targets, { type: 'stall' }, 5_000) },
  {
    name: 'throttle',
    inject: (targets) =>
      injectOnWire(targets, { type: 'throttle', bytesPerSecond: targets.random.int(200, 50_000) }, 4_000),
  },
  { name: 'slice', inject: (targets) => injectOnWire(targets, { type: 'slice', maxBytes: 7 }, 1_000) },
  {
    name: 'delay',
    inject: (targets) =>
      injectOnWire(targets, { type: 'delay', ms: targets.random.int(1, 400), jitterMs: 100 }, 2_000),
  },
  {
    name: 'refuse',
    async inject({ proxy, random }) {
      proxy.refuse();
      proxy.reset();
      await delay(random.int(50, 2_000));
      proxy.heal();
    },
  },
  {
    name: 'kill -9',
    async inject({ testbed, random }) {
      await testbed.redis.kill();
      await delay(random.int(0, 1_500));
      await testbed.redis.start();
    },
  },
  {
    name: 'older snapshot',
    async inject({ testbed, random }) {
      await testbed.command('SAVE');
      await delay(random.int(0, 1_500));
      await testbed.redis.kill();
      await delay(random.int(0, 1_500));
      await testbed.redis.start();
      // Removes the snapshot. Until the next SAVE, a crash loses all data.
      await rm(join(testbed.redis.dataDir ?? '', 'dump.rdb'));
    },
  },
  {
    name: 'cut again and again',
    async inject({ proxy, random }) {
      for (let left = random.int(5, 30); left > 0; left--) {
        proxy.reset();
        await delay(random.int(10, 90));
      }
    },
  },
  { name: 'lease handed over', inject: ({ contest }) => handOver(contest) },
  { name: 'holder killed', inject: ({ contest, testbed, random }) => killHolder(contest, testbed, random) },
  {
    name: 'SIGSTOP',
    async inject({ testbed, random }) {
      testbed.redis.pause();
      await delay(random.int(50, 6_000));
      testbed.redis.resume();
    },
  },
  {
    name: 'CLIENT KILL',
    async inject({ testbed, random }) {
      for (const type of ['normal', 'pubsub'])
        if (random.percent(70)) await testbed.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    },
  },
  { name: 'FLUSHALL', inject: ({ testbed }) => testbed.command('FLUSHALL') },
  {
    name: 'history trimmed',
    inject: ({ testbed, random }) =>
      testbed.command(
        'XTRIM',
        `tickbus:{${random.pick([FILLS, TRIMMED])}}:history`,
        'MAXLEN',
        String(random.int(0, 20)),
      ),
  },
  {
    name: 'event loop blocked',
    async inject({ random }) {
      const until = performance.now() + random.int(100, 2_000);
      while (performance.now() < until);
    },
  },
  {
    name: 'bad message',
    async inject({ testbed, random }) {
      const bad = random.pick(['', '{', 'null', '{"message_type":"note"}', 'x'.repeat(300_000)]);
      await testbed.command('PUBLISH', ALERTS.name, bad);
    },
  },
];

/** Injects the fault in a random direction, for a random time up to `maxMs`. */
async function injectOnWire({ proxy, random }: FaultTargets, fault: Fault, maxMs: number): Promise<void> {
  proxy.inject(fault, random.pick(['both', 'to_client', 'to_server']));
  await delay(random.int(50, maxMs));
  proxy.heal();
}
