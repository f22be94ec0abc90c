// /healthz, /readyz and /metrics over a real connection.

import { request } from 'node:http';
import { connect } from 'node:net';
import { type StatusPages, startStatusPages } from '@tickbus/status-pages';
import { afterEach, expect, it } from 'vitest';
import type { Readiness } from '../../gateway.ts';
import { createMetrics } from '../../monitoring/metrics.ts';
import { Counters, type GatewayStats } from '../../monitoring/stats.ts';
import { noTrades } from '../../trades/trade-counts.ts';

let server: StatusPages | undefined;
afterEach(() => server?.close());

const STATS: GatewayStats = {
  ...new Counters(),
  channel: 'PRICE_DATA',
  role: 'active',
  takeOvers: 2,
  frames: 7,
  published: 5,
  trades: { ...noTrades(), published: 7, late: 1 },
  tradesWaiting: 3,
  failures: { TICKBUS_FENCED: 3 },
  brokerErrors: { 406: 4, none: 1 },
  wanted: 3,
  leftOut: 0,
  refused: 1,
  quietForMs: 1_500,
  feed: { feed: 'alpaca', state: 'live' },
};

/** Before the first server is created. */
const GLOBALS = { Request: globalThis.Request, Response: globalThis.Response };

async function start(readiness: Readiness, stats: GatewayStats = STATS) {
  server = await startStatusPages({
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics(() => stats),
    readiness: () => readiness,
  });
  const base = `http://127.0.0.1:${server.port}`;
  return async (path: string) => {
    const response = await fetch(base + path);
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    };
  };
}

it('is healthy, and ready if the gateway is', async () => {
  const get = await start({ ready: true, role: 'standby', redis: 'connected' });
  expect(await get('/healthz')).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  const { status, body } = await get('/readyz');
  expect([status, JSON.parse(body)]).toEqual([200, { ready: true, role: 'standby', redis: 'connected' }]);
  expect((await get('/')).status).toBe(404);
});

it('leaves the global objects of the process as they are', async () => {
  await start({ ready: true, role: 'standby', redis: 'connected' });
  expect(globalThis.Request).toBe(GLOBALS.Request);
  expect(globalThis.Response).toBe(GLOBALS.Response);
});

it('is not ready if the gateway is not', async () => {
  const get = await start({ ready: false, role: 'active', redis: 'connected', feed: 'down' });
  expect(await get('/readyz')).toMatchObject({ status: 503 });
  expect(await get('/healthz')).toMatchObject({ status: 200 });
});

it('serves the metrics in the Prometheus format, also repeatedly', async () => {
  const get = await start({ ready: true, role: 'active', redis: 'connected' });
  await get('/metrics');
  const { type, body } = await get('/metrics');
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  const figures = body.split('\n').filter((line) => line.startsWith('tickbus_gateway_'));
  expect(figures).toEqual(
    expect.arrayContaining([
      'tickbus_gateway_info{channel="PRICE_DATA"} 1',
      'tickbus_gateway_active 1',
      'tickbus_gateway_take_overs_total 2',
      'tickbus_gateway_frames_total 7',
      'tickbus_gateway_prices_published_total 5',
      'tickbus_gateway_trades_total{outcome="late"} 1',
      'tickbus_gateway_trades_waiting 3',
      'tickbus_gateway_publish_failures_total{code="TICKBUS_FENCED"} 3',
      'tickbus_gateway_broker_errors_total{code="406"} 4',
      'tickbus_gateway_broker_errors_total{code="none"} 1',
      'tickbus_gateway_events_dropped_total{reason="invalid"} 0',
      'tickbus_gateway_instruments_wanted 3',
      'tickbus_gateway_instruments_refused 1',
      'tickbus_gateway_quiet_seconds 1.5',
      'tickbus_gateway_feed_state{state="live"} 1',
      'tickbus_gateway_feed_state{state="down"} 0',
    ]),
  );
});

it('serves the metrics of the recorder, if there is one', async () => {
  const recorded = { written: 9, dropped: 1, bytes: 2_000, files: 3 };
  const figures = await createMetrics(
    () => STATS,
    () => recorded,
  ).metrics();
  expect(figures).toContain('tickbus_gateway_recorded_frames_total 9');
  expect(figures).toContain('tickbus_gateway_unrecorded_frames_total 1');
  expect(await createMetrics(() => STATS).metrics()).not.toMatch(/recorded_(frames|bytes|files)/);
});

it('has no feed state on standby', async () => {
  const get = await start(
    { ready: true, role: 'standby', redis: 'connected' },
    { ...STATS, role: 'standby', feed: undefined, quietForMs: undefined },
  );
  const { body } = await get('/metrics');
  expect(body).toContain('tickbus_gateway_active 0');
  expect(body).toContain('tickbus_gateway_quiet_seconds Nan');
  expect(body).not.toMatch(/feed_state\{state="\w+"\} 1/);
});

it('reports a port that is in use', async () => {
  await start({ ready: true, role: 'standby', redis: 'connected' });
  const again = startStatusPages({
    host: '127.0.0.1',
    port: server?.port ?? 0,
    metrics: createMetrics(() => STATS),
    readiness: () => ({ ready: true, role: 'standby', redis: 'connected' }),
  });
  await expect(again).rejects.toThrow(
    /^Cannot serve \/healthz and \/metrics on 127\.0\.0\.1:\d+: .*EADDRINUSE.*Set HTTP_HOST and HTTP_PORT/,
  );
});

it('accepts IP addresses, localhost and the configured names only, against DNS rebinding', async () => {
  const metrics = createMetrics(() => STATS);
  const readiness = (): Readiness => ({ ready: true, role: 'standby', redis: 'connected' });
  server = await startStatusPages({
    host: '127.0.0.1',
    allowedHosts: ['Gateway'],
    port: 0,
    metrics,
    readiness,
  });
  for (const [host, status] of [
    ['127.0.0.1:9464', 200],
    ['10.1.2.3', 200],
    ['[fd00::5]:9464', 200],
    ['localhost:9464', 200],
    ['gateway:9464', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example:9464', 403],
  ] as const)
    for (const path of ['/metrics', '/readyz', '/healthz'])
      expect([host, path, await statusOf(server.port, path, host)]).toEqual([host, path, status]);
});

it('escapes and bounds the labels that a broker can choose', async () => {
  const counters = new Counters();
  counters.countBrokerError('a"b\\c\nd\u001b[31m');
  counters.countBrokerError('x'.repeat(100_000));
  for (let code = 0; code < 10_000; code++) counters.countBrokerError(code);
  const stats = { ...STATS, brokerErrors: counters.brokerErrors };
  const get = await start({ ready: true, role: 'active', redis: 'connected' }, stats);
  const { body } = await get('/metrics');
  const lines = body.split('\n').filter((line) => line.startsWith('tickbus_gateway_broker_errors_total{'));
  expect(lines.length).toBeLessThan(150);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no control character may be left
  for (const line of lines) expect(line).toMatch(/^[^\u0000-\u001f]{1,200}$/);
  expect(lines).toContain('tickbus_gateway_broker_errors_total{code="a\\"b\\\\c\\\\u000ad\\\\u001b[31m"} 1');
});

it('closes the connection of a client that does not read its responses', async () => {
  const metrics = createMetrics(() => STATS);
  const readiness = (): Readiness => ({ ready: true, role: 'standby', redis: 'connected' });
  server = await startStatusPages({ host: '127.0.0.1', port: 0, idleMs: 300, metrics, readiness });
  const client = connect({ host: '127.0.0.1', port: server.port }).pause();
  client.on('error', () => {});
  const closed = new Promise((resolve) => client.once('close', resolve));
  // Requests more data than the buffers of both sockets hold.
  client.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2_000));
  // A paused socket notices the disconnection only when it writes.
  const writing = setInterval(() => client.write('\r\n'), 50);
  await closed;
  clearInterval(writing);
  expect(await statusOf(server.port, '/healthz', 'localhost')).toBe(200);
}, 30_000);

/** Uses node:http, because `fetch` does not allow setting Host. */
function statusOf(port: number, path: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
