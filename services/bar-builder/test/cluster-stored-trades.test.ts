// A bar builder that restarts, and late bots, on a cluster whose nodes share the partitions.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { afterAll, beforeAll, describe } from 'vitest';
import { TradeDesk } from './stored-trades.fixture.ts';
import { describeStoredTrades } from './stored-trades-suite.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

describe.each([1, 16])('with %i partitions', (partitions) => {
  describeStoredTrades(async () => {
    await Promise.all(cluster.nodes.map(({ server }) => server.answers('FLUSHALL')));
    return new TradeDesk(cluster.url, partitions);
  });
});
