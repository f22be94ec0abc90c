// Whom the monitor answers, over real HTTP: its own page only, by its own names, with a policy that allows nothing else; and how it starts.

import { silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMonitor } from '../monitor.ts';
import type { Delta } from '../page-protocol.ts';
import { EventStream, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let world: MonitorServer;
beforeAll(async () => {
  world = await MonitorServer.open();
});
afterAll(() => world.close());

describe('answers its own page only', () => {
  it.each([
    ['by the address', () => new URL(world.monitor.url).host],
    ['as localhost', () => `localhost:${new URL(world.monitor.url).port}`],
  ])('%s', async (_, host) => {
    const { status } = await world.get('/', { host: host() });
    expect(status).toBe(200);
  });

  it('by the names that it was given, an IPv6 address among them', async () => {
    const allowedHosts = ['Desk.lan', 'fd00::5'];
    const other = await startMonitor({ url: world.redis.url, port: 0, allowedHosts, logger: silentLogger });
    for (const [host, status] of [
      ['desk.lan:8788', 200],
      ['[FD00::5]:8788', 200],
      ['[fd00::6]:8788', 403],
      ['other.lan', 403],
    ] as const)
      expect([host, (await world.get('/', { host }, other.url)).status]).toEqual([host, status]);
    await other.close();
  });

  it('refuses a name that was made to lead here', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${new URL(world.monitor.url).port}`,
      '127.0.0.1.evil.example',
    ]) {
      const { status, body } = await world.get('/api/stream', { host });
      expect([host, status]).toEqual([host, 403]);
      expect(body).toContain('not known by this name');
    }
  });

  it('refuses the page of another site, or of another port', async () => {
    const own = new URL(world.monitor.url).host;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const { status } = await world.get('/api/stream', { host: own, ...headers });
      expect([headers, status]).toEqual([headers, 403]);
    }
  });

  it('opens from a link on another site, which sees nothing of it', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await world.get('/', link)).status).toBe(200);
    expect((await world.get('/api/instruments/AAPL', link)).status).toBe(403);
  });

  it('is not asked for files outside its page', async () => {
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/assets/../../monitor.ts',
      '/sources.txt',
    ])
      expect([path, (await world.get(path)).status]).toEqual([path, 404]);
  });
});

it('gives every answer a policy that allows nothing but its own files', async () => {
  for (const path of ['/', '/api/instruments/none', '/nothing']) {
    const { headers } = await world.get(path);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

it('has a page without inline script or style, and without another host', async () => {
  const { body } = await world.get('/');
  expect(body).toContain('<title>tickbus</title>');
  expect(body).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|https?:\/\//);
});

describe('starts', () => {
  it('without Redis, and shows that', async () => {
    const other = await startMonitor({ url: 'redis://:hunter2@127.0.0.1:1', port: 0, logger: silentLogger });
    const stream = await EventStream.open(`${other.url}/api/stream`);
    const told = await eventually(async () => {
      const { data } = await stream.next();
      const { lamps } = JSON.parse(data) as Delta;
      expect(lamps?.redis.state).toBe('bad');
      return data;
    });
    expect(told).not.toContain('hunter2');
    stream.close();
    await other.close();
  });

  it('not on a port that is taken, nor with a token that can be guessed', async () => {
    const port = Number(new URL(world.monitor.url).port);
    const options = { url: world.redis.url, logger: silentLogger };
    await expect(startMonitor({ ...options, port })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1.*MONITOR_PORT/,
    );
    await expect(startMonitor({ ...options, port: 0, token: 'short' })).rejects.toThrow(/at least 16/);
  });
});
