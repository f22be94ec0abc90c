// The monitor's server over real HTTP and a real Redis: who is answered, what is streamed, what may be sent.

import { type IncomingMessage, request } from 'node:http';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import type { Audit, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Monitor, startMonitor } from '../monitor.ts';
import type { Delta, Snapshot, TailBatch } from '../protocol.ts';
import { EventStream, eventually, SILENT } from './parts.ts';

const TOKEN = 'a token for the tests';

let redis: LocalRedis;
let monitor: Monitor;
let publisher: RedisPublisher;

beforeAll(async () => {
  redis = await startLocalRedis();
  monitor = await startMonitor({ url: redis.url, port: 0, token: TOKEN, logger: SILENT });
  publisher = new RedisPublisher({ url: redis.url, sender: 'test', logger: SILENT });
});
afterAll(async () => {
  await publisher.close();
  await monitor.close();
  await redis.kill();
});

describe('answers its own page only', () => {
  it.each([
    ['by the address', () => new URL(monitor.url).host],
    ['as localhost', () => `localhost:${new URL(monitor.url).port}`],
  ])('%s', async (_, host) => {
    const { status } = await ask('/', { host: host() });
    expect(status).toBe(200);
  });

  it('by the names that it was given, an IPv6 address among them', async () => {
    const allowedHosts = ['Desk.lan', 'fd00::5'];
    const other = await startMonitor({ url: redis.url, port: 0, allowedHosts, logger: SILENT });
    for (const [host, status] of [
      ['desk.lan:8788', 200],
      ['[FD00::5]:8788', 200],
      ['[fd00::6]:8788', 403],
      ['other.lan', 403],
    ] as const)
      expect([host, (await ask('/', { host }, other.url)).status]).toEqual([host, status]);
    await other.close();
  });

  it('refuses a name that was made to lead here', async () => {
    for (const host of [
      'evil.example',
      `evil.example:${new URL(monitor.url).port}`,
      '127.0.0.1.evil.example',
    ]) {
      const { status, body } = await ask('/api/stream', { host });
      expect([host, status]).toEqual([host, 403]);
      expect(body).toContain('not known by this name');
    }
  });

  it('refuses the page of another site, or of another port', async () => {
    const own = new URL(monitor.url).host;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const { status } = await ask('/api/stream', { host: own, ...headers });
      expect([headers, status]).toEqual([headers, 403]);
    }
  });

  it('opens from a link on another site, which sees nothing of it', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await ask('/', link)).status).toBe(200);
    expect((await ask('/api/instruments/AAPL', link)).status).toBe(403);
  });

  it('is not asked for files outside its page', async () => {
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/assets/../../monitor.ts',
      '/sources.txt',
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});

it('gives every answer a policy that allows nothing but its own files', async () => {
  for (const path of ['/', '/api/instruments/none', '/nothing']) {
    const { headers } = await ask(path);
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
  const { body } = await ask('/');
  expect(body).toContain('<title>tickbus</title>');
  expect(body).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|https?:\/\//);
});

describe('streams', () => {
  it('a snapshot first, then what has changed, at its own pace', async () => {
    const stream = await EventStream.open(`${monitor.url}/api/stream`);
    const first = await stream.next();
    expect(first.event).toBe('snapshot');
    const snapshot = JSON.parse(first.data) as Snapshot;
    expect(snapshot.about).toMatchObject({ canSend: true, redis: new URL(redis.url).host });

    const MESSAGES = 500;
    for (let price = 1; price <= MESSAGES; price++)
      void publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'MANY', price, timestamp: Date.now() });
    const seen: number[] = [];
    while (seen.at(-1) !== MESSAGES) {
      const { event, data } = await stream.next();
      expect(event).toBe('delta');
      for (const row of (JSON.parse(data) as Delta).prices ?? [])
        if (row.symbol === 'MANY') seen.push(row.price ?? 0);
    }
    // However many messages there were, a frame has the newest of each symbol and no other.
    expect(seen.length).toBeLessThan(MESSAGES / 10);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    stream.close();
  });

  it('a snapshot again to a browser that was too slow, and nothing is kept for it', async () => {
    // Rows of 50 KB, so that the socket of a browser that does not read is soon full.
    const subscriptions = Array.from({ length: 50 }, () => 'x'.repeat(1_000));
    const noise = setInterval(() => {
      for (let behind = 0; behind < 20; behind++)
        publisher
          .publish(CHANNELS.BOT_STATUS, { bot: `large-${behind}`, state: 'running', behind, subscriptions })
          .catch(() => {});
    }, 150);
    const stream = await EventStream.open(`${monitor.url}/api/stream`);
    const first = JSON.parse((await stream.next()).data) as Snapshot;
    stream.pause();
    const other = await EventStream.open(`${monitor.url}/api/stream`);
    // More than the sockets between hold.
    let bytes = 0;
    while (bytes < 20_000_000) {
      const { data } = await other.next();
      bytes += data.length;
    }
    clearInterval(noise);
    stream.resume();
    let later = await stream.next();
    let before = first.frame;
    while (later.event === 'delta') {
      // As long as it is a delta, it is the very next one.
      expect((JSON.parse(later.data) as Delta).frame).toBe(before + 1);
      before++;
      later = await stream.next();
    }
    expect(later.event).toBe('snapshot');
    expect((JSON.parse(later.data) as Snapshot).frame).toBeGreaterThan(before + 1);
    other.close();
    stream.close();
  });

  it('a tail of what passes the filter, and how many were too many', async () => {
    const stream = await EventStream.open(`${monitor.url}/api/tail?channel=PRICE_DATA&key=tail&text=0.5`);
    expect((await stream.next()).event).toBe('open');
    for (const [symbol, price] of [
      ['TAIL-A', 0.5],
      ['TAIL-B', 2],
      ['OTHER', 0.5],
    ] as const)
      await publisher.publish(CHANNELS.PRICE_DATA, { symbol, price, timestamp: 1 });
    const { messages, skipped } = JSON.parse((await stream.next()).data) as TailBatch;
    expect(messages.map(({ data }) => JSON.parse(data).symbol)).toEqual(['TAIL-A']);
    expect(messages[0]).toMatchObject({ channel: 'PRICE_DATA', type: 'price', sender: 'test' });
    expect(skipped).toBe(0);

    const MANY = 300;
    for (let index = 0; index < MANY; index++)
      void publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'TAIL-C', price: 0.5, timestamp: index });
    let shown = 0;
    let left = 0;
    let newest = -1;
    while (newest < MANY - 1) {
      const batch = JSON.parse((await stream.next()).data) as TailBatch;
      shown += batch.messages.length;
      left += batch.skipped;
      newest = JSON.parse(batch.messages.at(-1)?.data ?? '{}').timestamp;
    }
    expect(shown + left).toBeLessThanOrEqual(MANY);
    expect(left).toBeGreaterThan(0);
    stream.close();
  });
});

it('shows an instrument that the broker does not know, and that it is delivered after all', async () => {
  const about = { symbol: 'NOSUCH', feed: 'test', lease: 7 } as const;
  await publisher.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live', lease: 7 });
  const stream = await EventStream.open(`${monitor.url}/api/stream`);
  const detail = 'No such symbol.';
  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'unknown', detail });
  const shown = await until(stream, ({ prices }) => prices?.find(({ symbol }) => symbol === 'NOSUCH'));
  expect(shown).toMatchObject({ instrument: 'unknown', detail, look: 'stale' });
  expect(shown).not.toHaveProperty('price');
  expect(JSON.parse((await ask('/api/instruments/NOSUCH')).body)).toMatchObject({ candles: [], hops: [] });

  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'subscribed' });
  const told = await until(stream, ({ events }) => events?.find(({ text }) => text.includes('delivers')));
  expect(told).toMatchObject({ kind: 'instrument', severity: 'info', text: 'test delivers NOSUCH.' });
  stream.close();
  const again = await EventStream.open(`${monitor.url}/api/stream`);
  const { events } = JSON.parse((await again.next()).data) as Snapshot;
  const text = 'test does not know NOSUCH. No such symbol.';
  expect(events).toContainEqual(expect.objectContaining({ kind: 'instrument', severity: 'warn', text }));
  again.close();
});

it('judges prices as the library does, and says why', async () => {
  await publisher.publish(CHANNELS.FEED_STATUS, {
    feed: 'test',
    state: 'live',
    lease: 8,
    interval_ms: 60_000,
  });
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'JUDGED', price: 1, timestamp: Date.now() });
  const stream = await EventStream.open(`${monitor.url}/api/stream`);
  const verdict = (wanted: string) =>
    until(stream, ({ prices }) =>
      prices?.find(({ symbol, verdict }) => symbol === 'JUDGED' && verdict === wanted),
    );
  expect(await verdict('fresh')).toMatchObject({ look: 'fresh', changedAt: expect.any(Number) });
  await publisher.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'down', detail: 'Gone.', lease: 8 });
  expect(await verdict('feed_down')).toMatchObject({ look: 'stale' });
  const { reason } = JSON.parse((await ask('/api/instruments/JUDGED')).body);
  expect(reason).toBe('The feed test is down: Gone.');
  stream.close();
});

it('tells candles and the way of an instrument', async () => {
  const timestamp = Date.now() - 50;
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 10, timestamp });
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 12, timestamp });
  const instrument = await eventually(async () => {
    const { status, body } = await ask('/api/instruments/WAY');
    expect(status).toBe(200);
    const found = JSON.parse(body);
    expect(found.candles.at(-1)).toMatchObject({ close: 12 });
    return found;
  });
  expect(instrument.hops.map(({ name }: { name: string }) => name)).toEqual([
    'broker to gateway',
    'gateway to Redis',
    'Redis to here',
  ]);
  expect(instrument.hops[0].last).toBeGreaterThanOrEqual(50);
  expect((await ask('/api/instruments/NEVER')).status).toBe(404);
});

describe('sends a command', () => {
  const pause = { type: 'pause', data: { bot: 'momentum', reason: 'test' } };

  it('with the token, and tells it on AUDIT', async () => {
    const subscriber = new RedisSubscriber({ url: redis.url, logger: SILENT });
    const commands: MessageOf<typeof CHANNELS.TRADE_COMMANDS>[] = [];
    const audits: Audit[] = [];
    subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (message) => commands.push(message));
    subscriber.subscribe(CHANNELS.AUDIT, ({ data }) => audits.push(data));
    await subscriber.startListening();
    const { status, body } = await send(pause, TOKEN);
    expect([status, JSON.parse(body).message]).toEqual([200, 'Sent to 2 subscribers.']);
    await eventually(() => expect(audits).toHaveLength(1));
    expect(commands[0]).toMatchObject({ message_type: 'pause', sender: 'monitor', data: pause.data });
    expect(audits[0]).toMatchObject({
      tool: 'monitor',
      actor: 'monitor 127.0.0.1',
      action: 'send_command',
      message_type: 'pause',
      bot: 'momentum',
      outcome: 'sent',
    });
    await subscriber.close();
  });

  it('not with another token or none, tells that on AUDIT, and says nothing of the right one', async () => {
    const audits = await listenToAudit();
    for (const token of [undefined, '', 'wrong', `${TOKEN}x`]) {
      const { status, body } = await send(pause, token);
      expect(status).toBe(401);
      expect(body).not.toContain(TOKEN);
    }
    await eventually(() => expect(audits.data).toHaveLength(4));
    for (const entry of audits.data) {
      expect(entry).toMatchObject({ actor: 'monitor 127.0.0.1', action: 'refused', outcome: 'refused' });
      expect(JSON.stringify(entry)).not.toContain(TOKEN);
    }
    await audits.close();
  });

  it('not one that its schema refuses, or that is none, and tells that on AUDIT too', async () => {
    const audits = await listenToAudit();
    const wrong = await send(
      { type: 'place_order', data: { bot: 'momentum', symbol: 'AAPL', side: 'up' } },
      TOKEN,
    );
    expect(wrong.status).toBe(400);
    expect(JSON.parse(wrong.body).message).toMatch(/side|quantity/);
    const none = [{ type: 'constructor', data: {} }, { type: 'pause' }, 'pause', null];
    for (const body of none) expect((await send(body, TOKEN)).status).toBe(400);
    await eventually(() => expect(audits.data).toHaveLength(1 + none.length));
    for (const entry of audits.data)
      expect(entry).toMatchObject({ action: 'send_command', outcome: 'failed', detail: expect.any(String) });
    await audits.close();
  });

  it('not at all after too many wrong tokens', async () => {
    const other = await startMonitor({ url: redis.url, port: 0, token: TOKEN, logger: SILENT });
    const attempt = (token: string) => send(pause, token, other.url);
    for (let count = 0; count < 10; count++) expect((await attempt('wrong')).status).toBe(401);
    expect((await attempt(TOKEN)).status).toBe(429);
    await other.close();
  });

  it('not without a token in its settings', async () => {
    const other = await startMonitor({ url: redis.url, port: 0, logger: SILENT });
    const { status, body } = await send(pause, TOKEN, other.url);
    expect(status).toBe(403);
    expect(body).toContain('MONITOR_TOKEN');
    await other.close();
  });
});

describe('starts', () => {
  it('without Redis, and shows that', async () => {
    const other = await startMonitor({ url: 'redis://:hunter2@127.0.0.1:1', port: 0, logger: SILENT });
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
    const port = Number(new URL(monitor.url).port);
    const options = { url: redis.url, logger: SILENT };
    await expect(startMonitor({ ...options, port })).rejects.toThrow(
      /cannot listen on 127\.0\.0\.1.*MONITOR_PORT/,
    );
    await expect(startMonitor({ ...options, port: 0, token: 'short' })).rejects.toThrow(/at least 16/);
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Over node:http, because `fetch` sets Host and Origin itself. Ends a stream at its headers. */
function ask(path: string, headers: Record<string, string> = {}, url = monitor.url): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.concat(chunks).toString(),
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** What comes on AUDIT from now on. */
async function listenToAudit() {
  const subscriber = new RedisSubscriber({ url: redis.url, logger: SILENT });
  const data: Audit[] = [];
  subscriber.subscribe(CHANNELS.AUDIT, (message) => data.push(message.data));
  await subscriber.startListening();
  return { data, close: () => subscriber.close() };
}

/** Reads on until a frame has what is looked for. */
async function until<T>(stream: EventStream, look: (frame: Delta) => T | undefined): Promise<T> {
  for (;;) {
    const found = look(JSON.parse((await stream.next()).data) as Delta);
    if (found !== undefined) return found;
  }
}

async function send(body: unknown, token: string | undefined, url = monitor.url) {
  const response = await fetch(`${url}/api/commands`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.text() };
}
