// A node of a cluster that is cut off from the others: clients reach it, and its replica takes over.

import { expect, it } from 'vitest';
import { ProxiedCluster } from '../proxied-cluster.ts';

const NAME = 'PRICE_DATA';

it('a promoted replica lacks what its master wrote while it lagged', async () => {
  await using proxied = await ProxiedCluster.start({ replicas: 1, nodeTimeoutMs: 500 });
  const { cluster } = proxied;
  const master = await cluster.ownerOf(NAME);
  proxied.lag(master);
  await master.server.answers(`SET ${NAME} tail`);
  await master.server.kill();
  proxied.reunite();
  const promoted = await cluster.untilOwnerIsNot(master, NAME);
  expect(await promoted.server.answers(`EXISTS ${NAME}`)).toBe(':0\r\n');
});

it('isolates a node from the others, and reunites it', async () => {
  await using proxied = await ProxiedCluster.start({ replicas: 1, nodeTimeoutMs: 500 });
  const { cluster } = proxied;
  const master = await cluster.ownerOf(NAME);
  proxied.isolate(master);
  const promoted = await cluster.untilOwnerIsNot(master, NAME);
  expect(await master.server.answers('CLUSTER INFO')).toContain('cluster_state:fail');
  expect(await promoted.server.answers('CLUSTER INFO')).toContain('cluster_state:ok');
  proxied.reunite();
  await cluster.untilInSync(master);
});
