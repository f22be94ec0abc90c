// Runs the commands of docs/feeds.md against a local broker, a local Redis and a local venue. Instead of `npx tsx`,
// node runs a bundle of the program.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import type { Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { collect, ReceivedValues, SILENT } from './gateway.fixture.ts';
import { binanceProtocol } from './replay/binance-protocol.fixture.ts';
import { BINANCE_CAPTURE, SKIP_REASON } from './replay/recorded-sessions.fixture.ts';
import { ReplayServer } from './replay/replay-server.fixture.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const GATEWAY = await bundledProgram(new URL('../main.ts', import.meta.url));
/** The commands of the page that start a gateway. */
const COMMANDS = (await readFile(join(ROOT, 'docs/feeds.md'), 'utf8'))
  .split('\n')
  .filter((line) => line.includes('npx tsx services/price-gateway/main.ts') && !line.includes('`'));

vi.setConfig({ testTimeout: 60_000 });

let redis: LocalRedis;
let broker: SimulatedBroker;
let folder: string;
let prices: ReceivedValues<Price>;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  redis = await startLocalRedis();
  broker = await startSimulatedBroker();
  folder = await mkdtemp(join(tmpdir(), 'docs-'));
  prices = new ReceivedValues();
  const subscriber = new RedisSubscriber({ url: redis.url, logger: SILENT });
  cleanUps.push(
    () => redis.kill(),
    () => broker.close(),
    () => rm(folder, { recursive: true }),
    () => subscriber.close(),
  );
  collect(subscriber, CHANNELS.PRICE_DATA, ({ data }) => prices.add(data));
  await subscriber.startListening();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** The command that begins with `start`, with the addresses and paths of this test. */
function command(start: string, replacements: Readonly<Record<string, string>> = {}): string {
  const found = COMMANDS.find((line) => line.startsWith(start));
  if (found === undefined) throw new Error(`docs/feeds.md has no command that begins with ${start}.`);
  const localValues = {
    'ws://127.0.0.1:8765': broker.url.replace('/v2/iex', ''),
    recordings: folder,
    ...replacements,
  };
  return Object.entries(localValues).reduce((line, [from, to]) => line.replaceAll(from, to), found);
}

/** Runs a command in a shell, with the test's Redis, a short lease and no HTTP port. */
function run(line: string): ChildProcess {
  const env = {
    ...process.env,
    REDIS_URL: redis.url,
    LEASE_TTL_MS: '1000',
    HTTP_PORT: '0',
    LOG_LEVEL: 'warn',
  };
  const child = spawn('sh', ['-c', line.replace(/npx tsx \S+$/, `exec ${process.execPath} ${GATEWAY}`)], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exit = once(child, 'exit');
  cleanUps.push(() => {
    child.kill('SIGKILL');
    return exit;
  });
  return child;
}

it('has a command for every feed', () => {
  expect(COMMANDS).toHaveLength(6);
});

it('alpaca', async () => {
  run(command('ALPACA_URL='));
  expect(await prices.until(() => true)).toMatchObject({ venue: 'iex' });
});

it('websocket', async () => {
  run(command('FEED=websocket'));
  await prices.until(({ symbol }) => symbol === 'MSFT');
  expect(new Set(prices.all.map(({ symbol }) => symbol))).not.toContain('TSLA');
});

it('recording, and replay of the recording', async () => {
  const recording = COMMANDS.find((line) => line.includes('RECORD_TO=')) ?? '';
  const child = run(command(recording));
  await prices.until(({ source }) => source === 'trade');
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  expect(await exit).toEqual([0, null]);
  const count = prices.all.length;
  await broker.close();
  run(command('FEED=capture CAPTURE_FILE=$('));
  await prices.until(({ source }) => source === 'trade', count);
});

it('capture, of a real session', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  run(command('FEED=capture CAPTURE_FILE=my', { 'my-session.jsonl.gz': BINANCE_CAPTURE }));
  await prices.until(({ symbol }) => symbol === 'SUSHIUSDT');
});

it('ccxt, with a replay of a real session as the venue', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  await using server = await ReplayServer.start(await binanceProtocol());
  const venue = `CCXT_EXCHANGE=binanceusdm CCXT_URL=http://127.0.0.1:${server.port}`;
  const symbols = 'SUSHI/USDT:USDT,CTK/USDT:USDT';
  run(command('FEED=ccxt', { 'CCXT_EXCHANGE=kraken': venue, 'BTC/USD,ETH/USD': symbols }));
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(2), 50_000);
  await server.play(BINANCE_CAPTURE, { speed: 100 });
  expect(await prices.until(({ symbol }) => symbol === 'SUSHI/USDT:USDT')).toMatchObject({
    venue: 'binanceusdm',
    source: 'midpoint',
  });
});
