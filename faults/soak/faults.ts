// What the soak does to its cast, each a fault that is over, or healed by the end of the round.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fault, TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Random } from '@tickbus/test-kit/random';
import { ALERTS, FILLS, TRIMMED } from '../channels.ts';
import type { Stage } from '../stage.ts';
import { pass } from '../wait.ts';
import { type Contest, handOver, killHolder } from './contest.ts';

interface Scene {
  readonly stage: Stage;
  /** One of the proxies, chosen at random. */
  readonly proxy: TcpProxy;
  /** One of the leased channels, chosen at random. */
  readonly contest: Contest;
  readonly random: Random;
}

interface SoakFault {
  readonly name: string;
  readonly harm: (scene: Scene) => Promise<unknown>;
}

export const FAULTS: readonly [SoakFault, ...SoakFault[]] = [
  { name: 'reset', harm: async ({ proxy }) => proxy.reset() },
  {
    name: 'blackhole',
    harm: (scene) => onTheWire(scene, { type: 'blackhole' }, 5_000),
  },
  { name: 'stall', harm: (scene) => onTheWire(scene, { type: 'stall' }, 5_000) },
  {
    name: 'throttle',
    harm: (scene) =>
      onTheWire(scene, { type: 'throttle', bytesPerSecond: scene.random.int(200, 50_000) }, 4_000),
  },
  { name: 'slice', harm: (scene) => onTheWire(scene, { type: 'slice', maxBytes: 7 }, 1_000) },
  {
    name: 'delay',
    harm: (scene) => onTheWire(scene, { type: 'delay', ms: scene.random.int(1, 400), jitterMs: 100 }, 2_000),
  },
  {
    name: 'refuse',
    async harm({ proxy, random }) {
      proxy.refuse();
      proxy.reset();
      await pass(random.int(50, 2_000));
      proxy.heal();
    },
  },
  {
    name: 'kill -9',
    async harm({ stage, random }) {
      await stage.redis.kill();
      await pass(random.int(0, 1_500));
      await stage.redis.start();
    },
  },
  {
    name: 'older snapshot',
    async harm({ stage, random }) {
      await stage.command('SAVE');
      await pass(random.int(0, 1_500));
      await stage.redis.kill();
      await pass(random.int(0, 1_500));
      await stage.redis.start();
      // The next crash is one without a memory, unless it saves again.
      await rm(join(stage.redis.dataDir ?? '', 'dump.rdb'));
    },
  },
  {
    name: 'cut again and again',
    async harm({ proxy, random }) {
      for (let left = random.int(5, 30); left > 0; left--) {
        proxy.reset();
        await pass(random.int(10, 90));
      }
    },
  },
  { name: 'lease handed over', harm: ({ contest }) => handOver(contest) },
  { name: 'holder killed', harm: ({ contest, stage, random }) => killHolder(contest, stage, random) },
  {
    name: 'SIGSTOP',
    async harm({ stage, random }) {
      stage.redis.pause();
      await pass(random.int(50, 6_000));
      stage.redis.resume();
    },
  },
  {
    name: 'CLIENT KILL',
    async harm({ stage, random }) {
      for (const type of ['normal', 'pubsub'])
        if (random.percent(70)) await stage.command('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    },
  },
  { name: 'FLUSHALL', harm: ({ stage }) => stage.command('FLUSHALL') },
  {
    name: 'history trimmed',
    harm: ({ stage, random }) =>
      stage.command(
        'XTRIM',
        `tickbus:{${random.pick([FILLS, TRIMMED])}}:history`,
        'MAXLEN',
        String(random.int(0, 20)),
      ),
  },
  {
    name: 'event loop blocked',
    async harm({ random }) {
      const until = performance.now() + random.int(100, 2_000);
      while (performance.now() < until);
    },
  },
  {
    name: 'bad message',
    async harm({ stage, random }) {
      const bad = random.pick(['', '{', 'null', '{"message_type":"note"}', 'x'.repeat(300_000)]);
      await stage.command('PUBLISH', ALERTS.name, bad);
    },
  },
];

/** Either way or both, for as long as chance has it, but `atMost` milliseconds. */
async function onTheWire({ proxy, random }: Scene, fault: Fault, atMost: number): Promise<void> {
  proxy.inject(fault, random.pick(['both', 'to_client', 'to_server']));
  await pass(random.int(50, atMost));
  proxy.heal();
}
