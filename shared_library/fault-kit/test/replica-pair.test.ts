// A real master and its replica: lag, promotion and demotion.

import { Random } from '@tickbus/test-kit/random';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { ReplicaPair } from '../replica-pair.ts';

const SEED = 1;
let pair: ReplicaPair;

beforeEach(async () => {
  pair = await ReplicaPair.start(new Random(SEED));
  onTestFinished(() => pair[Symbol.asyncDispose]());
});

it('a promoted replica lacks the writes made while it lagged', async () => {
  await pair.master.answers('SET before 1');
  await pair.catchUp();
  pair.lag();
  await pair.master.answers('SET tail 1');
  const { master, replica } = pair;
  await master.kill();
  await pair.promote();
  expect(pair.master).toBe(replica);
  expect(pair.replica).toBe(master);
  expect(await replica.answers('EXISTS before', 'EXISTS tail', 'SET after 1')).toBe(':1\r\n:0\r\n+OK\r\n');
});

it('catchUp brings a lagging replica back in sync', async () => {
  pair.lag();
  await pair.master.answers('SET tail 1');
  await pair.catchUp();
  expect(await pair.replica.answers('EXISTS tail')).toBe(':1\r\n');
});

it('a demoted master loses its tail in the same process, and gets another replication id', async () => {
  const [first, second] = [pair.master, pair.replica];
  const { pid } = first;
  const idBefore = await replicationId(first);
  pair.lag();
  await first.answers('SET tail 1');
  await pair.promote();
  await second.answers('SET second 1');
  await pair.demote();
  expect(await first.answers('EXISTS tail', 'EXISTS second')).toBe(':0\r\n:1\r\n');
  await pair.promote();
  expect(pair.master).toBe(first);
  expect(first.pid).toBe(pid);
  expect(await first.answers('SET again 1')).toBe('+OK\r\n');
  expect(await replicationId(first)).not.toBe(idBefore);
});

async function replicationId(server: ReplicaPair['master']): Promise<string | undefined> {
  return /master_replid:(\w+)/.exec(await server.answers('INFO replication'))?.[1];
}
