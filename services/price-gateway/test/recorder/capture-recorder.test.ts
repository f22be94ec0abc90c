// Recordings: replayed unchanged, split into files, with dropped frames counted, and readable after a kill.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type CaptureRecord, type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { createCaptureFeed } from '../../feeds/capture-feed.ts';
import { createCcxtFeed } from '../../feeds/ccxt-feed.ts';
import type { Feed } from '../../feeds/feed.ts';
import { loadMapping } from '../../feeds/mapping-module.ts';
import { createWebSocketFeed } from '../../feeds/websocket-feed.ts';
import { type CaptureRecorder, openRecorder, type RecorderOptions } from '../../recorder/capture-recorder.ts';
import { ObservedFeed } from '../feeds/observed-feed.fixture.ts';
import { CREDENTIALS, ManualMarket, quote, SILENT, trade } from '../gateway.fixture.ts';
import { binanceProtocol } from '../replay/binance-protocol.fixture.ts';
import { coinbaseProtocol } from '../replay/coinbase-protocol.fixture.ts';
import { BINANCE_CAPTURE, COINBASE_CAPTURE, SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { ReplayServer } from '../replay/replay-server.fixture.ts';

const PROCESS = fileURLToPath(new URL('recording-process.fixture.ts', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../../../examples/coinbase-mapping.mjs', import.meta.url));

let folder: string;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recorder-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function open(options: Partial<RecorderOptions> = {}): Promise<CaptureRecorder> {
  const recorder = await openRecorder({ folder, name: 'test', logger: SILENT, ...options });
  cleanUps.push(() => recorder.close());
  return recorder;
}

/** The records of each file in the order of writing; a truncated file is an error. */
async function files(): Promise<CaptureRecord[][]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    names.map(async (name) => {
      const records: CaptureRecord[] = [];
      for await (const record of readCapture(join(folder, name))) records.push(record);
      return records;
    }),
  );
}

/** Starts a feed that is recorded. */
async function record(
  feed: Feed,
  symbols: readonly string[],
): Promise<{ recorder: CaptureRecorder; observed: ObservedFeed }> {
  const recorder = await open();
  const observed = new ObservedFeed(recorder.record(feed), symbols);
  cleanUps.push(() => observed.feed.close());
  return { recorder, observed };
}

/** The events of a replay of the recording. */
async function replayed(mapping?: string): Promise<readonly MarketEvent[]> {
  const [name = ''] = await readdir(folder);
  const feed = await createCaptureFeed({
    path: join(folder, name),
    speed: Number.POSITIVE_INFINITY,
    mapping: mapping === undefined ? undefined : await loadMapping(mapping),
  });
  const observed = new ObservedFeed(feed, ['*']);
  await observed.state('down');
  await feed.close();
  return observed.events.all;
}

it('records the frames of the official Alpaca client without the secret, and replays the same events', async () => {
  const market = new ManualMarket();
  await using broker = await startSimulatedBroker({ source: market });
  const { recorder, observed } = await record(createAlpacaFeed({ url: broker.url, ...CREDENTIALS }), ['*']);
  await observed.state('live');
  market.push(quote(100, 101), trade(100.25), trade(400, 'MSFT'));
  await observed.events.until(({ symbol }) => symbol === 'MSFT');
  await observed.feed.close();
  await recorder.close();
  const [records = []] = await files();
  expect(records.map(({ dir, frame }) => [dir, frame])).toContainEqual([
    'out',
    { action: 'auth', key: '***', secret: '***' },
  ]);
  expect(records.flatMap(toMarketEvents)).toEqual(observed.events.all);
  expect(await replayed()).toEqual(observed.events.all);
  expect(Math.abs((records[0]?.at ?? 0) * 1000 - Date.now())).toBeLessThan(60_000);
  expect(recorder.stats).toMatchObject({ written: records.length, dropped: 0, files: 1 });
});

it('records the frames of the WebSocket feed unchanged', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  await using server = await ReplayServer.start(coinbaseProtocol(['BAND-GBP', 'SKL-BTC']));
  const feed = createWebSocketFeed({ url: server.url, mapping: await loadMapping(EXAMPLE) });
  const { recorder, observed } = await record(feed, ['BAND-GBP', 'SKL-BTC']);
  await observed.subscribed.until((symbols) => symbols.length === 2);
  await server.play(COINBASE_CAPTURE);
  server.broadcast(
    '{"type":"ticker",\r\n"product_id":"SKL-BTC","best_bid":"1","best_ask":"2","time":"2021-04-17T17:00:00Z"}',
  );
  await observed.events.until((event) => event.kind === 'quote' && event.bid === 1);
  await observed.feed.close();
  await recorder.close();
  expect(observed.events.all.length).toBeGreaterThan(20);
  expect(await replayed()).toEqual(observed.events.all);
  expect(await replayed(EXAMPLE)).toEqual(observed.events.all);
});

it('records the events of the ccxt feed', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  await using server = await ReplayServer.start(await binanceProtocol());
  const url = `http://127.0.0.1:${server.port}`;
  const feed = await createCcxtFeed({ exchange: 'binanceusdm', url });
  const { recorder, observed } = await record(feed, ['SUSHI/USDT:USDT']);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(1), 10_000);
  await server.play(BINANCE_CAPTURE, { speed: 500 });
  await observed.events.until(() => true);
  await observed.feed.close();
  await recorder.close();
  expect(await replayed()).toEqual(observed.events.all);
});

it('starts a new file by size, and loses no frame', async () => {
  const recorder = await open({ maxFileBytes: 500, flushMs: 5 });
  const count = 300;
  for (let number = 0; number < count; number++) {
    recorder.write({ dir: 'in', json: JSON.stringify({ number, filling: digestOf(number) }) });
    if (number % 50 === 49) await vi.waitFor(() => expect(recorder.stats.written).toBe(number + 1), 10_000);
  }
  await recorder.close();
  const all = await files();
  expect(all.length).toBeGreaterThan(1);
  expect(all.length).toBe(recorder.stats.files);
  expect(all.flat().map(({ frame }) => (frame as { number: number }).number)).toEqual(
    Array.from({ length: count }, (_, number) => number),
  );
});

function digestOf(number: number): string {
  return createHash('sha256').update(String(number)).digest('hex');
}

it('starts a new file by age', async () => {
  const recorder = await open({ maxFileMs: 0, flushMs: 5 });
  for (const number of [1, 2, 3]) {
    recorder.write({ dir: 'in', json: `${number}` });
    await vi.waitFor(() => expect(recorder.stats.written).toBe(number), 10_000);
  }
  await recorder.close();
  expect((await files()).map((records) => records.map(({ frame }) => frame))).toEqual([[1], [2], [3]]);
});

it('drops frames past the buffer limit, counts them and logs once', async () => {
  const warn = vi.fn();
  const logger = { debug() {}, info() {}, error() {}, warn };
  const recorder = await open({ maxBuffered: 10_000, flushMs: 1_000_000, logger });
  const json = JSON.stringify('x'.repeat(900));
  for (let number = 0; number < 100; number++) recorder.write({ dir: 'in', json });
  await recorder.close();
  const { written, dropped } = recorder.stats;
  expect(written + dropped).toBe(100);
  expect(written).toBe(10);
  expect((await files()).flat()).toHaveLength(10);
  expect(warn).toHaveBeenCalledTimes(1);
  recorder.write({ dir: 'in', json });
  expect(recorder.stats.dropped).toBe(dropped + 1);
});

it('continues after a temporary disk failure', async () => {
  const recorder = await open({ flushMs: 5 });
  await rm(folder, { recursive: true });
  recorder.write({ dir: 'in', json: '1' });
  await vi.waitFor(() => expect(recorder.stats.dropped).toBe(1), 10_000);
  await mkdir(folder);
  recorder.write({ dir: 'in', json: '2' });
  await recorder.close();
  expect((await files()).flat().map(({ frame }) => frame)).toEqual([2]);
});

it('creates the folder and its parents, also concurrently with another gateway', async () => {
  const below = join(folder, 'a', 'b');
  await Promise.all([open({ folder: below }), open({ folder: below })]);
  expect(await readdir(below)).toEqual([]);
});

it.each([
  ['below a file', () => join(folder, 'file', 'below')],
  ['that is a file', () => join(folder, 'file')],
  ['that cannot be created', () => '/proc/recordings/alpaca'],
])('rejects a folder %s', async (_, at) => {
  await writeFile(join(folder, 'file'), '');
  await expect(open({ folder: at() })).rejects.toThrow(`Cannot write recordings to the folder ${at()}: `);
});

it('leaves a file that is readable up to the last write when it is killed', async () => {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), PROCESS, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  let reported = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    reported = Number(line);
    if (reported > 500) break;
  }
  child.kill('SIGKILL');
  await exit;
  const [name = ''] = await readdir(folder);
  const numbers: number[] = [];
  // The kill can truncate a write.
  for await (const { frame } of readCapture(join(folder, name), { allowTruncated: true }))
    numbers.push((frame as { number: number }).number);
  expect(numbers.length).toBeGreaterThanOrEqual(reported);
  expect(numbers).toEqual(Array.from(numbers, (_, number) => number));
});
