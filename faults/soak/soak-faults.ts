// What the soak does to its cast, each a fault that is over, or healed by the end of the round.

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
  /** One of the proxies, chosen at random. */
  readonly proxy: TcpProxy;
  /** One of the leased channels, chosen at random. */
  readonly contest: LeaseContest;
  readonly random: Random;
}

interface SoakFault {
  readonly name: string;
  readonly inject: (scene: FaultTargets) => Promise<unknown>;
}

export const FAULTS: readonly [SoakFault, ...SoakFault[]] = [
  { name: 'reset', inject: async ({ proxy }) => proxy.reset() },
  {
    name: 'blackhole',
    inject: (scene) => injectOnWire(scene, { type: 'blackhole' }, 5_000),
  },
  { name: 'stall', inject: (scene) => injectOnWire(scene, { type: 'stall' }, 5_000) },
  {
    name: 'throttle',
    inject: (scene) =>
      injectOnWire(scene, { type: 'throttle', bytesPerSecond: scene.random.int(200, 50_000) }, 4_000),
  },
  { name: 'slice', inject: (scene) => injectOnWire(scene, { type: 'slice', maxBytes: 7 }, 1_000) },
  {
    name: 'delay',
    inject: (scene) =>
      injectOnWire(scene, { type: 'delay', ms: scene.random.int(1, 400), jitterMs: 100 }, 2_000),
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
      // The next crash is one without a memory, unless it saves again.
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

/** Either way or both, for as long as chance has it, but `atMost` milliseconds. */
async function injectOnWire({ proxy, random }: FaultTargets, fault: Fault, atMost: number): Promise<void> {
  proxy.inject(fault, random.pick(['both', 'to_client', 'to_server']));
  await delay(random.int(50, atMost));
  proxy.heal();
}
