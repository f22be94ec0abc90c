// Leases behind Sentinel: a master that is cut off grants and renews none, and a lease without replicas is refused.

import { type ProxiedServer, SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { silentLogger as logger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { defineChannel, RedisLease } from '../../index.ts';
import { until } from './integration.fixture.ts';

const SEED = 1;
const TTL_MS = 1_500;
const SAMPLE_MS = 5;
const TEST_TIMEOUT_MS = 60_000;
const CHANNEL = defineChannel('SENTINEL_LEASE', {
  kind: 'event',
  messages: { note: z.object({ n: z.number() }) },
});
const SUBJECTS = [
  ['a channel', { channel: CHANNEL }],
  ['a job', { name: 'sentinel-job' }],
] as const;

let group: SentinelGroup;
let master: ProxiedServer;
beforeEach(async () => {
  group = await SentinelGroup.start({ random: new Random(SEED) });
  onTestFinished(() => group[Symbol.asyncDispose]());
  master = await group.master();
}, TEST_TIMEOUT_MS);

function candidate(options: { channel?: typeof CHANNEL; name?: string; replicas?: number }): RedisLease {
  const lease = new RedisLease({ ...options, url: group.url, ttlMs: TTL_MS, logger });
  onTestFinished(() => lease.close());
  return lease;
}

function untilEvent(lease: RedisLease, event: 'gained' | 'lost'): Promise<void> {
  return new Promise((resolve) => lease.on(event, () => resolve()));
}

/** The present connections of clients, at the master and at the sentinels. */
async function clientLinks() {
  const atSentinels = await Promise.all(group.sentinels.map((each) => group.linksTo(each, ' name=tickbus:')));
  return { atMaster: await group.linksTo(master, ' name=tickbus:'), atSentinels: atSentinels.flat() };
}

function replicas(): readonly ProxiedServer[] {
  return group.servers.filter((server) => server !== master);
}

describe.each(SUBJECTS)('the lease of %s', (_, subject) => {
  it(
    'never has two holders when its holder is isolated together with the master',
    async () => {
      const holder = candidate(subject);
      await Promise.all([untilEvent(holder, 'gained'), holder.start()]);
      const links = await clientLinks();
      const second = candidate(subject);
      await second.start();
      let bothHeld = 0;
      const sampling = setInterval(() => {
        if (holder.holds && second.holds) bothHeld++;
      }, SAMPLE_MS);
      onTestFinished(() => clearInterval(sampling));
      const lost = untilEvent(holder, 'lost');
      const gained = untilEvent(second, 'gained').then(() => holder.holds);
      // The holder reaches only the master, and nobody else reaches it.
      for (const { proxy } of group.sentinels) proxy.refuse();
      for (const link of links.atSentinels) link.inject({ type: 'blackhole' });
      group.isolate(master, links.atMaster);
      await lost;
      expect(await gained).toBe(false);
      expect(bothHeld).toBe(0);
      expect(await group.master()).not.toBe(master);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is granted only while a replica is connected, and the reason is reported',
    async () => {
      await Promise.all(replicas().map(({ server }) => server.kill()));
      await group.untilReplicas(master, 0);
      const lease = candidate(subject);
      const gained = untilEvent(lease, 'gained');
      await lease.start();
      await until(() => lease.problem !== undefined);
      expect(lease.problem).toMatch(/needs 1 replica, and 0 are connected to the master: .*two processes/);
      expect(lease.holds).toBe(false);
      // A claim that is refused does not even begin an epoch.
      expect(await master.server.answers('DBSIZE')).toBe(':0\r\n');
      await replicas()[0]?.server.start();
      await gained;
      expect(lease.problem).toBeUndefined();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'needs as many replicas as `replicas`, and none if it is 0',
    async () => {
      await replicas()[0]?.server.kill();
      await group.untilReplicas(master, 1);
      const strict = candidate({ ...subject, replicas: 2 });
      await strict.start();
      await until(() => strict.problem !== undefined);
      expect(strict.problem).toContain('needs 2 replicas, and 1 are connected');
      await strict.close();
      await replicas()[1]?.server.kill();
      await group.untilReplicas(master, 0);
      const lax = candidate({ ...subject, replicas: 0 });
      await Promise.all([untilEvent(lax, 'gained'), lax.start()]);
    },
    TEST_TIMEOUT_MS,
  );
});

it(
  'a renewal counts only if a replica confirms it',
  async () => {
    const lease = candidate({ channel: CHANNEL });
    await Promise.all([untilEvent(lease, 'gained'), lease.start()]);
    const reason = new Promise((resolve) => lease.on('lost', (event) => resolve(event.reason)));
    await group.lag(master);
    expect(await reason).toBe('expired');
    expect(lease.problem).toMatch(/needs 1 replica, and 0 confirmed it within 250 ms/);
  },
  TEST_TIMEOUT_MS,
);
