// Limits of the HTTP server: slow requests, large headers and bodies, connections.

import { silentLogger } from '@tickbus/test-kit';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Monitor, startMonitor } from '../monitor-service.ts';
import { eventually } from './monitor.fixture.ts';
import { MonitorServer, postCommand, TOKEN } from './monitor-server.fixture.ts';
import { RawHttpClient } from './raw-http.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

let other: Monitor | undefined;
afterEach(() => other?.close());

async function start(limits: Parameters<typeof startMonitor>[0]['limits']): Promise<string> {
  other = await startMonitor({ url: server.redis.url, port: 0, token: TOKEN, limits, logger: silentLogger });
  return other.url;
}

it('disconnects a client that sends nothing, or its headers too slowly', async () => {
  const url = await start({ requestMs: 300 });
  const silent = await RawHttpClient.open(url);
  const slow = await RawHttpClient.open(url);
  slow.socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const sending = setInterval(() => slow.socket.write('x'), 20);
  await Promise.all([silent.closed(), slow.closed()]);
  clearInterval(sending);
  expect(await slow.status()).toBe(408);
});

it('does not read the body of a request without the token', async () => {
  const client = await RawHttpClient.open(server.monitor.url);
  client.request('POST', '/api/commands', ['Content-Type: application/json', 'Content-Length: 60000']);
  // The monitor replies although the client has not sent the body.
  expect(await client.status()).toBe(401);
  client.close();
});

it('rejects headers above 16 KiB and bodies above 64 KiB, also without a length', async () => {
  const client = await RawHttpClient.open(server.monitor.url);
  client.request('GET', '/', [`X-Large: ${'x'.repeat(17_000)}`]);
  expect(await client.status()).toBe(431);
  client.close();
  const body = { type: 'pause', data: { bot: 'a', reason: 'x'.repeat(66_000) } };
  expect((await postCommand(server.monitor.url, body, TOKEN)).status).toBe(413);
  const chunked = await RawHttpClient.open(server.monitor.url);
  chunked.request('POST', '/api/commands', [
    `Authorization: Bearer ${TOKEN}`,
    'Content-Type: application/json',
    'Transfer-Encoding: chunked',
  ]);
  for (let chunk = 0; chunk < 7; chunk++) chunked.socket.write(`2710\r\n${'x'.repeat(10_000)}\r\n`);
  expect(await chunked.status()).toBe(413);
  chunked.close();
});

it('closes connections beyond the maximum at once, and accepts new ones when others have ended', async () => {
  const url = await start({ maxConnections: 3, requestMs: 500 });
  const idle = await Promise.all([1, 2, 3].map(() => RawHttpClient.open(url)));
  const further = await RawHttpClient.open(url);
  await further.closed();
  expect(further.bytes).toBe(0);
  // Idle connections are closed after `requestMs`, so they lock nobody out.
  await eventually(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200));
  for (const client of [...idle, further]) client.close();
});

it('closes the connection of a client that does not read its responses, but no idle stream', async () => {
  const url = await start({ maxConnections: 3, readMs: 300 });
  const page = await RawHttpClient.open(url);
  page.request('GET', '/', ['Connection: close']);
  await page.closed();
  const script = /assets\/[^"]+\.js/.exec(page.received)?.[0];
  const tail = await RawHttpClient.open(url);
  tail.request('GET', '/api/tail?text=never');
  expect(await tail.status()).toBe(200);
  const stalled = await Promise.all([RawHttpClient.open(url), RawHttpClient.open(url)]);
  for (const client of stalled) {
    client.socket.pause();
    // Requests more data than the buffers of both sockets hold.
    for (let count = 0; count < 100; count++) client.request('GET', `/${script}`);
  }
  await eventually(async () => {
    const further = await RawHttpClient.open(url);
    further.request('GET', '/healthz');
    expect(await further.status()).toBe(200);
    further.close();
  });
  expect([tail.socket.destroyed, tail.socket.readableEnded]).toEqual([false, false]);
  for (const client of [tail, ...stalled]) client.close();
});

it('rejects a post of another site before it reads the body or the token', async () => {
  const pause = { type: 'pause', data: { bot: 'a' } };
  for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
    expect((await postCommand(server.monitor.url, pause, TOKEN, headers)).status).toBe(403);
  // A form cannot send this type without a preflight, which is rejected.
  const asForm = { 'content-type': 'text/plain' };
  expect((await postCommand(server.monitor.url, pause, TOKEN, asForm)).status).toBe(400);
});
