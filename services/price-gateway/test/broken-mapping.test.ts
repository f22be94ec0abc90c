// A mapping that breaks in the middle of a session, while the venue goes on sending: everybody learns of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it, onTestFinished } from 'vitest';
import { loadMapping } from '../feeds/mapping-module.ts';
import { createWebSocketFeed } from '../feeds/websocket-feed.ts';
import type { Gateway } from '../gateway.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { startVenueServer } from './feeds/venue-server.fixture.ts';
import { SILENT } from './gateway.fixture.ts';

const CLI = await bundledProgram(new URL('../../../cli/main.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const testbed = useEmbeddedGateways();
const patient = { timeout: 30_000 };
/** Without the detection, prices would stay fresh for this long. */
const BOUNDS = { maxAgeMs: 600_000, maxQuietMs: 600_000 };

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
}

/** A venue that sends a frame of each instrument ten times a second, a gateway, and a bot. */
async function start(count: number, bot: RedisSubscriber) {
  const symbols = Array.from({ length: count }, (_, index) => `S${index}`);
  const venue: Venue = { faults: () => undefined };
  const server = await startVenueServer({
    onConnection: (socket) => {
      let price = 1;
      const timer = setInterval(() => {
        price++;
        for (const symbol of symbols)
          socket.send(JSON.stringify({ fault: venue.faults(symbol), symbol, price, time: Date.now() }));
      }, 100);
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

/** Starts the monitor as a process. Returns a function that reads its indicator of the feed. */
async function startMonitor(): Promise<() => Promise<{ state: string; detail: string }>> {
  const { host, port } = testbed.redis;
  const args = ['--import', 'tsx', MAIN, 'monitor', '--port', '0', '--url', `redis://${host}:${port}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  testbed.cleanUps.push(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  const [address] = /http:\S+/.exec(line) ?? [];
  return async () => {
    const abort = new AbortController();
    const { body } = await fetch(new URL('/api/stream', address), { signal: abort.signal });
    let received = '';
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      received += chunk;
      const [, data] = /^data: (.*)\n\n/m.exec(received) ?? [];
      if (data !== undefined) return JSON.parse(data).lamps.broker;
    }
  };
}

function newBot(): RedisSubscriber {
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  return bot;
}

const isReady = ({ readiness }: Gateway) => readiness.ready;

it.each([
  [
    'throws',
    'down',
    /^\d+ % of the feed's messages cannot be understood: The mapping cannot parse a frame: no field p$/,
  ],
  [
    'nothing',
    'down',
    /The mapping returned nothing for a frame with fault: "nothing", symbol: "S\d+", .* Return { kind: 'ignore' }/,
  ],
  ['asynchronous', 'down', /read returned a promise, but must return its result synchronously/],
] as const)(
  'that fails on every frame (%s) turns the feed %s until it works again',
  async (fault, state, reason) => {
    const bot = newBot();
    const { venue, gateway, verdicts } = await start(20, bot);
    expect(isReady(gateway)).toBe(true);
    const startedAt = performance.now();
    venue.faults = () => fault;
    await expect.poll(() => new Set(verdicts()), patient).toEqual(new Set(['feed_down']));
    console.log(`${fault}: noticed by a bot after ${Math.round(performance.now() - startedAt)} ms`);
    await testbed.nextStatus(state);
    expect(bot.latest(CHANNELS.PRICE_DATA, 'S1', BOUNDS).reason).toMatch(
      /^The feed websocket is (down|degraded): /,
    );
    expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, 'S1', BOUNDS)).toThrow('cannot be understood');
    expect(gateway.readiness).toMatchObject({
      ready: false,
      feed: state,
      detail: expect.stringMatching(reason),
    });
    const { code, line } = await checkFeed();
    expect([code, line]).toEqual([2, expect.stringContaining(`websocket is ${state}: `)]);
    venue.faults = () => undefined;
    await expect.poll(() => new Set(verdicts()), patient).toEqual(new Set(['fresh']));
    await expect.poll(() => isReady(gateway), patient).toBe(true);
  },
);

it('that returns nothing is shown by the monitor', async () => {
  const { venue } = await start(20, newBot());
  const feed = await startMonitor();
  await expect.poll(feed, patient).toMatchObject({ state: 'ok' });
  const startedAt = performance.now();
  venue.faults = () => 'nothing';
  await expect
    .poll(feed, patient)
    .toMatchObject({ state: 'bad', detail: expect.stringContaining('cannot be understood') });
  console.log(`shown by the monitor after ${Math.round(performance.now() - startedAt)} ms`);
  venue.faults = () => undefined;
  await expect.poll(feed, patient).toMatchObject({ state: 'ok' });
});

it.each(['throws', 'nothing', 'asynchronous'])(
  'that fails on one instrument of twenty (%s) turns the feed degraded and names it',
  async (fault) => {
    const bot = newBot();
    const { venue, gateway, verdicts } = await start(20, bot);
    venue.faults = (symbol) => (symbol === 'S7' ? fault : undefined);
    const { detail } = await testbed.nextStatus('degraded');
    expect(detail).toMatch(/cannot be understood/);
    await expect.poll(() => verdicts()[7], patient).toBe('feed_down');
    await expect
      .poll(() => bot.latest(CHANNELS.PRICE_DATA, 'S7', BOUNDS).instrument?.state, patient)
      .toBe('refused');
    expect(gateway.readiness).toMatchObject({ ready: false, feed: 'degraded' });
    expect((await checkFeed()).line).toMatch(/^CRITICAL: websocket is degraded: .* cannot be understood/);
    venue.faults = () => undefined;
    await expect.poll(() => new Set(verdicts()), patient).toEqual(new Set(['fresh']));
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
  expect(isReady(gateway)).toBe(true);
  expect(new Set(verdicts())).toEqual(new Set(['fresh']));
});
