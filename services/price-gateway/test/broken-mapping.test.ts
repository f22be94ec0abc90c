// A mapping that breaks in the middle of a session, while the venue goes on sending: everybody learns of it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { startStatusPages } from '@tickbus/status-pages';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { type Monitor, startMonitor } from '../../monitor/monitor-service.ts';
import { EventStreamReader } from '../../monitor/test/monitor.fixture.ts';
import { loadMapping } from '../feeds/mapping-module.ts';
import { createWebSocketFeed } from '../feeds/websocket-feed.ts';
import type { Gateway } from '../gateway.ts';
import { createMetrics } from '../monitoring/metrics.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { startVenueServer } from './feeds/venue-server.fixture.ts';
import { SILENT } from './gateway.fixture.ts';

const CLI = await bundledProgram(new URL('../../../cli/main.ts', import.meta.url));
const testbed = useEmbeddedGateways();
const patient = { timeout: 30_000 };
/** Without the detection, prices would stay fresh for this long. */
const BOUNDS = { maxAgeMs: 600_000, maxQuietMs: 600_000 };
/** Milliseconds between two rounds of the venue, in each of which it sends a frame of every instrument. */
const ROUND_MS = 100;
/** Everybody has to notice within 3 s. Rounds count, because they slow down with the machine. */
const NOTICED_WITHIN = 3_000 / ROUND_MS;

let monitor: Monitor | undefined;
beforeEach(async () => {
  monitor ??= await startMonitor({
    url: testbed.redis.url,
    port: 0,
    logger: SILENT,
  });
});
afterAll(() => monitor?.close());

/** Each frame says how the mapping fails on it. */
const MAPPING = `
export const venue = 'lab';
export function read({ fault, symbol, price, time }) {
  if (fault === 'throws') throw new Error('no field p');
  if (fault === 'nothing') return;
  if (fault === 'asynchronous') return Promise.reject(new Error('later'));
  if (fault === 'heartbeat') return { kind: 'heartbeat' };
  return { kind: 'trade', symbol, price, size: 1, timestamp: time };
}`;

interface Venue {
  /** How the mapping fails on the frames of each symbol from now on. */
  faults: (symbol: string) => string | undefined;
  rounds: number;
}

/** A venue, a gateway, and a bot. */
async function start(count: number, bot: RedisSubscriber) {
  const symbols = Array.from({ length: count }, (_, index) => `S${index}`);
  const venue: Venue = { faults: () => undefined, rounds: 0 };
  const server = await startVenueServer({
    onConnection: (socket) => {
      let price = 1;
      const timer = setInterval(() => {
        price++;
        venue.rounds++;
        for (const symbol of symbols)
          socket.send(JSON.stringify({ fault: venue.faults(symbol), symbol, price, time: Date.now() }));
      }, ROUND_MS);
      socket.on('close', () => clearInterval(timer));
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'tickbus-mapping-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'mapping.mjs'), MAPPING);
  const mapping = await loadMapping(join(folder, 'mapping.mjs'));
  const createFeed = async () => createWebSocketFeed({ url: server.url, mapping });
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: symbols });
  await bot.startListening();
  const gateway = await testbed.startGateway({ createFeed, symbols });
  const verdicts = () => symbols.map((symbol) => bot.latest(CHANNELS.PRICE_DATA, symbol, BOUNDS).verdict);
  await expect.poll(() => new Set(verdicts()), patient).toEqual(new Set(['fresh']));
  // The prices of an earlier test are still fresh.
  await expect.poll(() => gateway.stats.published, patient).toBeGreaterThan(count);
  return { venue, gateway, verdicts };
}

async function checkFeed(): Promise<{ code: number | null; line: string }> {
  const { host, port } = testbed.redis;
  // The limits of ages are out of the way: on a busy machine, a heartbeat may be late.
  const args = ['check', 'feed', 'websocket', '--warn', '10m', '--critical', '11m'];
  const child = spawn(process.execPath, [CLI, ...args, '--url', `redis://${host}:${port}`]);
  const [line] = await Promise.all([
    text(child.stdout),
    new Promise((resolve) => child.on('close', resolve)),
  ]);
  return { code: child.exitCode, line };
}

/** The indicator of the feed on the monitor. */
async function shownFeed(): Promise<{ state: string; detail: string }> {
  const stream = await EventStreamReader.open(`${monitor?.url}/api/stream`);
  const { data } = await stream.next();
  stream.close();
  return JSON.parse(data).lamps.broker;
}

/** Serves the pages of the gateway. Returns a function that reads the status of /readyz. */
async function servePages(gateway: Gateway): Promise<() => Promise<number>> {
  const metrics = createMetrics(() => gateway.stats);
  const pages = await startStatusPages({
    host: '127.0.0.1',
    port: 0,
    metrics,
    readiness: () => gateway.readiness,
  });
  testbed.cleanUps.push(() => pages.close());
  return async () => (await fetch(`http://127.0.0.1:${pages.port}/readyz`)).status;
}

function isSeventh(symbol: string): boolean {
  return symbol === 'S7';
}

function newBot(): RedisSubscriber {
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  return bot;
}

const FAULTS = [
  {
    fault: 'throws',
    reason:
      /^(\d+ % of the|The) feed's messages.* cannot be understood: The mapping cannot parse a frame: no field p$/,
  },
  {
    fault: 'nothing',
    reason:
      /The mapping returned nothing for a frame with fault: "nothing", symbol: "S\d+", .* Return { kind: 'ignore' }/,
  },
  { fault: 'asynchronous', reason: /read returned a promise, but must return its result synchronously/ },
];
const CASES = FAULTS.flatMap((fault) => [
  { ...fault, where: 'every frame', state: 'down', isBroken: () => true } as const,
  { ...fault, where: 'one instrument of twenty', state: 'degraded', isBroken: isSeventh } as const,
]);

it.for(CASES)(
  'that fails ($fault) on $where turns the feed $state until it works again',
  async ({ fault, reason, state, isBroken }) => {
    const bot = newBot();
    const { venue, gateway, verdicts } = await start(20, bot);
    const readyz = await servePages(gateway);
    const observed = async () => ({
      verdicts: new Set(verdicts()),
      readyz: await readyz(),
      monitor: (await shownFeed()).state,
    });
    const well = { verdicts: new Set(['fresh']), readyz: 200, monitor: 'ok' };
    await expect.poll(observed, patient).toEqual(well);
    const startedAt = venue.rounds;
    venue.faults = (symbol) => (isBroken(symbol) ? fault : undefined);
    const noticed = { verdicts: new Set(['feed_down']), readyz: 503, monitor: 'bad' };
    await expect.poll(observed, patient).toEqual(noticed);
    expect(venue.rounds - startedAt).toBeLessThanOrEqual(NOTICED_WITHIN);
    await testbed.nextStatus(state);
    const { code, line } = await checkFeed();
    expect([code, line]).toEqual([2, expect.stringContaining(`websocket is ${state}: `)]);
    expect(bot.latest(CHANNELS.PRICE_DATA, 'S7', BOUNDS).reason).toMatch(
      /^The feed websocket (is (down|degraded)|does not deliver this key \(refused\)): /,
    );
    expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, 'S1', BOUNDS)).toThrow('cannot be understood');
    expect(gateway.readiness).toMatchObject({ feed: state, detail: expect.stringMatching(reason) });
    expect((await shownFeed()).detail).toContain('cannot be understood');
    if (isBroken === isSeventh)
      await expect
        .poll(() => bot.latest(CHANNELS.PRICE_DATA, 'S7', BOUNDS).instrument?.state, patient)
        .toBe('refused');
    venue.faults = () => undefined;
    await expect.poll(observed, patient).toEqual(well);
  },
);

it('that fails on one instrument of forty is no reason to distrust the others', async () => {
  const bot = newBot();
  const { venue, gateway, verdicts } = await start(40, bot);
  venue.faults = (symbol) => (symbol === 'S7' ? 'nothing' : undefined);
  await expect.poll(() => verdicts()[7], patient).toBe('feed_down');
  expect(bot.latest(CHANNELS.PRICE_DATA, 'S7', BOUNDS).reason).toMatch(
    /^The feed websocket does not deliver this key \(refused\): The mapping returned nothing for a frame/,
  );
  expect(verdicts().filter((verdict) => verdict === 'fresh')).toHaveLength(39);
  await expect
    .poll(() => gateway.readiness, patient)
    .toMatchObject({
      ready: true,
      feed: 'live',
      detail: expect.stringMatching(/^The feed's messages about S7 cannot be understood: /),
    });
  venue.faults = () => undefined;
  await expect.poll(() => verdicts()[7], patient).toBe('fresh');
});

it('that declares its frames as heartbeats is a quiet market', async () => {
  const bot = newBot();
  const { venue, gateway, verdicts } = await start(20, bot);
  const from = testbed.statuses.all.length;
  venue.faults = () => 'heartbeat';
  // Longer than it takes to notice that frames are not understood.
  await testbed.statuses.until(({ last_frame_ago_ms = 0 }) => last_frame_ago_ms > 4_000, from);
  expect(new Set(testbed.statuses.all.slice(from).map(({ state }) => state))).toEqual(new Set(['live']));
  expect(gateway.readiness.ready).toBe(true);
  expect(new Set(verdicts())).toEqual(new Set(['fresh']));
});
