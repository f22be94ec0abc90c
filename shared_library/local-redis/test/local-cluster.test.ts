// A private cluster: its nodes fail over, and a slot moves between them.

import { expect, it } from 'vitest';
import { LocalCluster } from '../local-cluster.ts';

const NAME = 'PRICE_DATA';
const HEAD = `tickbus:{${NAME}}:head`;

it('moves a slot with its keys, and fails over to a replica in order and after a crash', async () => {
  await using cluster = await LocalCluster.start({ replicas: 1, nodeTimeoutMs: 500 });
  expect(await cluster.slotOf(NAME)).toBe(await cluster.slotOf(HEAD));
  const first = await cluster.ownerOf(NAME);
  await first.server.answers(`HSET ${HEAD} seq 1`);
  const target = await cluster.ownerOf('elsewhere');
  expect(target).not.toBe(first);
  const steps: string[] = [];
  await cluster.migrate(NAME, target, async (step) => {
    steps.push(step);
  });
  expect(steps).toEqual(['prepared', 'key', 'keys']);
  expect(await cluster.ownerOf(NAME)).toBe(target);
  expect(await target.server.answers(`HGET ${HEAD} seq`)).toBe('$1\r\n1\r\n');

  const [[slot = -1] = []] = await cluster.rangesOf(first);
  await cluster.migrateSlots([slot, slot + 1], first, target);
  expect(await cluster.ownerOfSlot(slot + 1)).toBe(target);
  expect(await cluster.rangesOf(target)).toContainEqual([slot, slot + 1]);

  const promoted = await cluster.failover(target);
  await cluster.untilInSync(target);
  // Another node may not know of the failover yet.
  expect(await cluster.untilOwnerIsNot(target, NAME)).toBe(promoted);
  await promoted.server.kill();
  expect(await cluster.untilOwnerIsNot(promoted, NAME)).toBe(target);
  expect(await target.server.answers(`HGET ${HEAD} seq`)).toBe('$1\r\n1\r\n');
});
