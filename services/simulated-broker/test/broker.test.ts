// The broker's own failure, shutdown, and port conflict.

import { expect, it } from 'vitest';
import { startSimulatedBroker } from '../broker.ts';
import { errorFrame, startBroker } from './broker.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

it('sends 500 to every client and closes when the price source fails', async () => {
  const { url, source } = await startBroker();
  using client = await RawClient.authenticated(url);
  await client.request({ action: 'subscribe', trades: ['*'] });
  source.fail(new Error('out of prices'));
  expect(await client.next()).toEqual(errorFrame(500, 'internal error'));
  await client.closed;
});

it('closes its clients with 1001, and can be closed repeatedly', async () => {
  const { broker } = await startBroker();
  const client = await RawClient.authenticated(broker.url);
  await Promise.all([broker.close(), broker.close()]);
  expect(await client.closed).toBe(1001);
  await broker.close();
});

it('reports a port that is in use', async () => {
  const { port } = await startBroker();
  await expect(startSimulatedBroker({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
});
