// Access control over real HTTP: accepted hosts and origins, Content-Security-Policy, startup.

import { silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMonitor } from '../monitor-service.ts';
import type { Delta } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

describe('accepts requests of its own page only', () => {
  it.each([
    ['by the address', () => new URL(server.monitor.url).host],
    ['as localhost', () => `localhost:${new URL(server.monitor.url).port}`],
  ])('%s', async (_, host) => {
    const { status } = await server.get('/', { host: host() });
    expect(status).toBe(200);
  });

  it('accepts the configured host names, including an IPv6 address', async () => {
    const allowedHosts = ['Desk.lan', 'fd00::5'];
    const other = await startMonitor({ url: server.redis.url, port: 0, allowedHosts, logger: silentLogger });
    for (const [host, status] of [
      ['desk.lan:8788', 200],
      ['[FD00::5]:8788', 200],
      ['[fd00::6]:8788', 403],
      ['other.lan', 403],
    ] as const)
      expect([host, (await server.get('/', { host }, other.url)).status]).toEqual([host, status]);
    await other.close();
  });

  it('rejects another name that resolves to its address (DNS rebinding)', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${new URL(server.monitor.url).port}`,
      '127.0.0.1.evil.example',
    ]) {
      const { status, body } = await server.get('/api/stream', { host });
      expect([host, status]).toEqual([host, 403]);
      expect(body).toContain('Unknown host name');
    }
  });

  it('rejects pages of another site or port', async () => {
    const own = new URL(server.monitor.url).host;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const { status } = await server.get('/api/stream', { host: own, ...headers });
      expect([headers, status]).toEqual([headers, 403]);
    }
  });

  it('opens from a link on another site, which cannot read the response', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await server.get('/', link)).status).toBe(200);
    expect((await server.get('/api/instruments/AAPL', link)).status).toBe(403);
  });

  it('serves no files outside the page', async () => {
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/assets/../../monitor.ts',
      '/sources.txt',
    ])
      expect([path, (await server.get(path)).status]).toEqual([path, 404]);
  });
});

it('sends a policy that allows its own files only with every response', async () => {
  for (const path of ['/', '/api/instruments/none', '/nothing']) {
    const { headers } = await server.get(path);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

it('serves a page without inline scripts, inline styles or other hosts', async () => {
  const { body } = await server.get('/');
  expect(body).toContain('<title>tickbus</title>');
  expect(body).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|https?:\/\//);
});

describe('startup', () => {
  it('succeeds without Redis, and shows the failure', async () => {
    const other = await startMonitor({ url: 'redis://:hunter2@127.0.0.1:1', port: 0, logger: silentLogger });
    const stream = await EventStreamReader.open(`${other.url}/api/stream`);
    const received = await eventually(async () => {
      const { data } = await stream.next();
      const { lamps } = JSON.parse(data) as Delta;
      expect(lamps?.redis.state).toBe('bad');
      return data;
    });
    expect(received).not.toContain('hunter2');
    stream.close();
    await other.close();
  });

  it('fails on a port in use and with a short token', async () => {
    const port = Number(new URL(server.monitor.url).port);
    const options = { url: server.redis.url, logger: silentLogger };
    await expect(startMonitor({ ...options, port })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1.*MONITOR_PORT/,
    );
    for (const unusable of ['short', 'ein schönes langes Token'])
      await expect(startMonitor({ ...options, port: 0, token: unusable })).rejects.toThrow(/at least 16/);
  });
});
