// The connection limit: error 406, delayed release, and a count per feed.

import { expect, it } from 'vitest';
import { AUTHENTICATED, CONNECTED, errorFrame, startBroker } from './broker.fixture.ts';
import { trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

it('rejects a second connection with 406 after its authentication, and keeps the first', async () => {
  const { broker, source } = await startBroker();
  using first = await RawClient.authenticated(broker.url);
  using second = await RawClient.connect(broker.url);
  expect(await second.next()).toEqual(CONNECTED);
  second.authenticate();
  expect(await second.next()).toEqual(errorFrame(406, 'connection limit exceeded'));
  await second.closed;
  await first.request({ action: 'subscribe', trades: ['AAPL'] });
  source.push(trade(150));
  expect(await first.next()).toMatchObject([{ T: 't', p: 150 }]);
  expect(broker.stats).toEqual({
    connections: 1,
    maxConcurrent: 1,
    accepted: 1,
    refused: 1,
    messagesSent: 1,
  });
});

it('admits the next connection when the first has closed', async () => {
  const { broker } = await startBroker();
  const first = await RawClient.authenticated(broker.url);
  first.socket.close();
  await first.closed;
  await expect.poll(() => broker.stats.connections).toBe(0);
  using second = await RawClient.connect(broker.url);
  second.authenticate();
  expect(await second.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
  expect(broker.stats).toMatchObject({ connections: 1, maxConcurrent: 1, accepted: 2, refused: 0 });
});

it.each([
  [60_000, 'refused'],
  [5, 'admitted'],
])('counts a closed connection for another %i ms: the next one is %s', async (releaseMs, fate) => {
  const { broker } = await startBroker({ releaseMs });
  const first = await RawClient.authenticated(broker.url);
  first.socket.close();
  await first.closed;
  const answer = async () => {
    using next = await RawClient.connect(broker.url);
    next.authenticate();
    return JSON.stringify((await next.take(2))[1]);
  };
  if (fate === 'refused') expect(await answer()).toContain('406');
  else while (!(await answer()).includes('authenticated'));
  expect(broker.stats.maxConcurrent).toBe(1);
});

it('counts each feed separately and allows maxConnections of each', async () => {
  const { broker } = await startBroker({ maxConnections: 2 });
  using _one = await RawClient.authenticated(broker.url);
  using _two = await RawClient.authenticated(broker.url);
  using _other = await RawClient.authenticated(broker.url.replace('iex', 'test'));
  expect(broker.stats).toMatchObject({ connections: 3, maxConcurrent: 3, refused: 0 });
});
