// No request keeps a stream slot for ever: every HTTP method, half-closed connections, and clients that do not read.

import { readFileSync } from 'node:fs';
import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Monitor, startMonitor } from '../monitor-service.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';
import { RawHttpClient } from './raw-http.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

const SLOTS = 100;
const STREAMS = ['/api/stream', '/api/tail'] as const;

/** Fails while the monitor answers 503 because all slots are taken. */
async function expectFreeSlot(url: string): Promise<void> {
  await eventually(async () => {
    const stream = await EventStreamReader.open(`${url}/api/stream`);
    expect((await stream.next()).event).toBe('snapshot');
    stream.close();
  }, 60_000);
}

describe('a slot is free again', () => {
  it.each(['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('after %s', async (method) => {
    const client = await RawHttpClient.open(server.monitor.url);
    for (let count = 0; count < SLOTS + 1; count++)
      client.request(method, STREAMS[count % 2] ?? '', ['Content-Length: 0']);
    expect(await client.status()).toBeGreaterThanOrEqual(400);
    await expectFreeSlot(server.monitor.url);
    client.close();
  });

  it('answers HEAD with 405 and the allowed method', async () => {
    const client = await RawHttpClient.open(server.monitor.url);
    client.request('HEAD', '/api/stream');
    expect(await client.status()).toBe(405);
    expect(client.received).toMatch(/\r\nallow: GET\r\n/i);
    client.close();
  });

  it('after a client that disconnects or half-closes its connection right after the request', async () => {
    for (let count = 0; count < SLOTS + 1; count++) {
      const client = await RawHttpClient.open(server.monitor.url);
      client.request('GET', STREAMS[count % 2] ?? '');
      if (count % 4 < 2) client.close();
      else {
        client.socket.end();
        await client.closed();
        client.close();
      }
    }
    await expectFreeSlot(server.monitor.url);
  });

  it.each(STREAMS)('after streams in the queue of a connection that is closed: %s', async (path) => {
    const other = await startOther({ maxStreams: 2, keepMs: 3_600_000 });
    const client = await RawHttpClient.open(other.url);
    for (let count = 0; count < 2; count++) client.request('GET', path);
    expect(await client.status()).toBe(200);
    client.close();
    await expectFreeSlot(other.url);
    const first = await EventStreamReader.open(`${other.url}/api/tail`);
    await expectFreeSlot(other.url);
    first.close();
  });

  it('after a reader that does not read, when a further stream is requested', async () => {
    const other = await startOther({ maxStreams: 2, keepMs: 100 });
    const stalled = await Promise.all([RawHttpClient.open(other.url), RawHttpClient.open(other.url)]);
    for (const client of stalled) {
      client.request('GET', '/api/stream');
      expect(await client.status()).toBe(200);
      client.socket.pause();
    }
    await expectFreeSlot(other.url);
    for (const client of stalled) client.close();
  });

  it('rejects the stream after the last slot until one is closed', async () => {
    const other = await startOther({ maxStreams: 2 });
    const streams = [await RawHttpClient.open(other.url), await RawHttpClient.open(other.url)];
    for (const client of streams) client.request('GET', '/api/stream');
    for (const client of streams) expect(await client.status()).toBe(200);
    const third = await RawHttpClient.open(other.url);
    third.request('GET', '/api/tail');
    expect(await third.status()).toBe(503);
    expect(third.received).toContain('Too many open pages');
    streams[0]?.close();
    await expectFreeSlot(other.url);
    for (const client of [...streams, third]) client.close();
  });
});

describe('a reader that does not read', () => {
  const noise: { timer?: NodeJS.Timeout } = {};
  beforeEach(() => {
    // Fills the socket buffers: several 100 KB in each frame.
    const text = 'x'.repeat(1_000);
    const status = { state: 'running' as const, detail: text, subscriptions: [text, text] };
    noise.timer = setInterval(() => {
      for (let bot = 0; bot < 500; bot++)
        server.publisher.publish(CHANNELS.BOT_STATUS, { ...status, bot: `bot-${bot}` }).catch(() => {});
    }, 200);
  });
  afterEach(() => clearInterval(noise.timer));

  it.each(STREAMS)(
    '%s is disconnected, and its slot is free again',
    async (path) => {
      const other = await startOther({ maxStreams: 1, readMs: 300 });
      const client = await RawHttpClient.open(other.url);
      client.socket.pause();
      client.request('GET', path);
      await expectFreeSlot(other.url);
      client.close();
    },
    90_000,
  );

  it('is disconnected early if the unread events of all streams exceed their bound', async () => {
    const other = await startOther({ maxUnreadBytes: 1 });
    const live = await EventStreamReader.open(`${other.url}/api/stream`);
    const client = await RawHttpClient.open(other.url);
    const disconnected = new Promise((resolve) => client.socket.once('close', resolve));
    client.socket.pause();
    client.request('GET', '/api/stream');
    // A paused socket notices the disconnection only when it writes.
    const writing = setInterval(() => client.socket.write('\r\n'), 50);
    await disconnected;
    clearInterval(writing);
    expect((await live.next()).event).toBe('snapshot');
    live.close();
  }, 90_000);

  it('does not disturb a reader that reads', async () => {
    const other = await startOther({ maxStreams: 1, readMs: 300 });
    const client = await RawHttpClient.open(other.url);
    client.request('GET', '/api/stream');
    await eventually(() => expect(client.bytes).toBeGreaterThan(4_000_000));
    expect(client.socket.readableEnded).toBe(false);
    client.close();
  });

  it('does not keep a slot by sending bytes', async () => {
    const other = await startOther({ maxStreams: 1, readMs: 300 });
    const client = await RawHttpClient.open(other.url);
    client.socket.pause();
    client.request('GET', '/api/stream');
    const sending = setInterval(() => client.socket.write('GET / HTTP/1.1\r\n'), 50);
    await expectFreeSlot(other.url);
    clearInterval(sending);
    client.close();
  });
});

it.runIf(process.platform === 'linux')(
  'probes an idle reader, so that one that vanished is found',
  async () => {
    const stream = await RawHttpClient.open(server.monitor.url);
    stream.request('GET', '/api/tail?text=never');
    expect(await stream.status()).toBe(200);
    const KEEPALIVE_TIMER = '02';
    const hex = (port: number | undefined) => (port ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const { localPort, remotePort } = stream.socket;
    await eventually(() => {
      const line = readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .find((text) => new RegExp(`:${hex(remotePort)} [0-9A-F]+:${hex(localPort)} `).test(text));
      // Columns: sl, local address, remote address, state, queues, timer:when.
      expect(line?.trim().split(/\s+/)[5]?.slice(0, 2)).toBe(KEEPALIVE_TIMER);
    });
    stream.close();
  },
);

const others: Monitor[] = [];
afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.close()));
});

async function startOther(limits: Parameters<typeof startMonitor>[0]['limits']): Promise<Monitor> {
  const other = await startMonitor({ url: server.redis.url, port: 0, limits, logger: silentLogger });
  others.push(other);
  return other;
}
