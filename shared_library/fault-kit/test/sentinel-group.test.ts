// A real Sentinel group: replication, failover, isolation and lag.

import { Random } from '@tickbus/test-kit/random';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { SentinelGroup } from '../sentinel-group.ts';

const SEED = 1;
const TEST_TIMEOUT_MS = 40_000;
let group: SentinelGroup;

beforeEach(async () => {
  group = await SentinelGroup.start({
    random: new Random(SEED),
    downAfterMs: 500,
    sentinelPassword: 'secret',
  });
  onTestFinished(() => group[Symbol.asyncDispose]());
}, TEST_TIMEOUT_MS);

it(
  'promotes a replica, with its data, when the master is isolated, and demotes the old master afterwards',
  async () => {
    const old = await group.master();
    expect(old).toBe(group.servers[0]);
    await old.server.answers('SET key 1');
    await group.catchUp();
    group.isolate(old);
    const promoted = await group.untilMaster((server) => server !== old);
    expect(await promoted.server.answers('EXISTS key')).toBe(':1\r\n');
    group.heal();
    await group.untilReplicas(promoted, 2);
    expect(await old.server.answers('ROLE')).toContain('slave');
  },
  TEST_TIMEOUT_MS,
);

it(
  'a promoted replica lacks what the master wrote while it lagged',
  async () => {
    const old = await group.master();
    await group.lag(old);
    await old.server.answers('SET tail 1');
    await old.server.kill();
    const promoted = await group.untilMaster((server) => server !== old);
    expect(await promoted.server.answers('EXISTS tail')).toBe(':0\r\n');
  },
  TEST_TIMEOUT_MS,
);
