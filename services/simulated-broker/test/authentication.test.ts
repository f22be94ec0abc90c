// Authentication: greeting, message or HTTP headers, and the errors 401, 402, 403, 404 and 409.

import { once } from 'node:events';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { AUTHENTICATED, CONNECTED, errorFrame, NO_SUBSCRIPTIONS, startBroker } from './broker.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

it('sends a greeting and accepts a message with the correct key', async () => {
  const { url } = await startBroker();
  using client = await RawClient.connect(url);
  expect(await client.next()).toEqual(CONNECTED);
  client.authenticate();
  expect(await client.next()).toEqual(AUTHENTICATED);
});

it('accepts the HTTP headers instead of the message', async () => {
  const { url } = await startBroker({ key: 'k', secret: 's' });
  using client = await RawClient.connect(url, { 'APCA-API-KEY-ID': 'k', 'APCA-API-SECRET-KEY': 's' });
  expect(await client.take(2)).toEqual([CONNECTED, AUTHENTICATED]);
});

it('rejects a wrong secret with 402, in a message or in headers, and closes', async () => {
  const { broker } = await startBroker();
  using byMessage = await RawClient.connect(broker.url);
  using byHeader = await RawClient.connect(broker.url, {
    'APCA-API-KEY-ID': 'k',
    'APCA-API-SECRET-KEY': 's',
  });
  byMessage.authenticate({ key: 'local-key', secret: 'wrong' });
  for (const client of [byMessage, byHeader]) {
    expect(await client.take(2)).toEqual([CONNECTED, errorFrame(402, 'auth failed')]);
    await client.closed;
  }
  expect(broker.stats.accepted).toBe(0);
});

it('rejects a subscription before authentication with 401, and stays open', async () => {
  const { url } = await startBroker();
  using client = await RawClient.connect(url);
  await client.next();
  expect(await client.request({ action: 'subscribe', trades: ['AAPL'] })).toEqual(
    errorFrame(401, 'not authenticated'),
  );
  client.authenticate();
  expect(await client.next()).toEqual(AUTHENTICATED);
});

it('rejects a second authentication with 403, and stays open', async () => {
  const { url } = await startBroker();
  using client = await RawClient.authenticated(url);
  client.authenticate();
  expect(await client.next()).toEqual(errorFrame(403, 'already authenticated'));
  expect(await client.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
});

it('sends 404 when authentication times out, and closes', async () => {
  const { url } = await startBroker({ authTimeoutMs: 20 });
  using client = await RawClient.connect(url);
  expect(await client.take(2)).toEqual([CONNECTED, errorFrame(404, 'auth timeout')]);
  await client.closed;
});

it('stops the timeout after authentication', async () => {
  const { url } = await startBroker({ authTimeoutMs: 20, key: 'k', secret: 's' });
  using inTime = await RawClient.connect(url, { 'APCA-API-KEY-ID': 'k', 'APCA-API-SECRET-KEY': 's' });
  await inTime.take(2);
  using later = await RawClient.connect(url);
  expect(await later.take(2)).toEqual([CONNECTED, errorFrame(404, 'auth timeout')]);
  expect(await inTime.request({ action: 'subscribe' })).toEqual([NO_SUBSCRIPTIONS]);
});

it('rejects a feed outside the plan with 409, and closes', async () => {
  const { url } = await startBroker();
  using client = await RawClient.connect(url.replace('iex', 'sip'));
  await client.next();
  client.authenticate();
  expect(await client.next()).toEqual(errorFrame(409, 'insufficient subscription'));
  await client.closed;
});

it('rejects an unknown path with HTTP 404', async () => {
  const { port } = await startBroker();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/last`);
  const [failure] = await once(socket, 'error');
  expect(String(failure)).toContain('404');
});
