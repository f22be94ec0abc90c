// Two gateways as processes, two venues with different feeds, one Redis: what happens to one venue does not affect the
// other, in the eyes of bots, of the command line, and of a gateway that stands by.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import type { PriceChannel, VerdictChange } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { createGateway } from '../../gateway.ts';
import { startVenueServer } from '../feeds/venue-server.fixture.ts';
import { CREDENTIALS, ReceivedValues, SILENT } from '../gateway.fixture.ts';
import { gatewaySettings } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAIN = await bundledProgram(new URL('../../main.ts', import.meta.url));
const CLI = await bundledProgram(new URL('../../../../cli/main.ts', import.meta.url));
const MAPPING = await bundledProgram(new URL('./plain-mapping.fixture.ts', import.meta.url));
const SECOND = priceChannel('second');
/** A heartbeat each second, so that a busy machine does not look like a dead gateway. */
const LEASE = { LEASE_TTL_MS: '6000' };
const BOUNDS = { maxAgeMs: 10_000 };
const TICK_MS = 20;

let testbed: GatewayTestbed;
beforeAll(async () => {
  testbed = await GatewayTestbed.start();
});
afterAll(() => testbed?.[Symbol.asyncDispose]());

/** A venue with the same instrument as the other one, whose mapping gets items. */
async function startWebSocketVenue() {
  const venue = await startVenueServer();
  const send = (item: object) =>
    venue.sockets.all.at(-1)?.send(JSON.stringify([{ symbol: 'AAPL', ...item }]));
  let price = 1;
  const trade = () => send({ kind: 'trade', price: price++, size: 1, timestamp: Date.now() });
  const ticking = setInterval(trade, TICK_MS);
  onTestFinished(() => clearInterval(ticking));
  const settings = { FEED: 'websocket', WEBSOCKET_URL: venue.url, WEBSOCKET_MAPPING: MAPPING };
  return { settings, report: (market: 'halted' | 'trading') => send({ kind: 'status', market }) };
}

/** The exit code and the output of the command line. */
async function run(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [CLI, ...args, '--url', testbed.url]);
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return `${child.exitCode} ${output}`;
}

/** With limits of the age of a frame that no busy machine exceeds. */
const checkFeed = (channel: PriceChannel) =>
  run('check', 'feed', channel.name, '--warn', '10m', '--critical', '10m');

/** The output of a gateway process that exits by itself with an error. */
async function refusal(settings: Record<string, string>): Promise<string> {
  const env = { PATH: process.env.PATH, ...gatewaySettings(testbed.url, testbed.broker.url, settings) };
  const child = spawn(process.execPath, [MAIN], { env });
  const [report] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(child.exitCode).toBe(1);
  return report;
}

it('keeps one venue fresh while the gateway of the other is killed, and refuses false standbys', async () => {
  const venue = await startWebSocketVenue();
  const first = testbed.spawnGateway(LEASE);
  testbed.spawnGateway({ ...LEASE, ...venue.settings, CHANNEL: SECOND.name });
  await using bot = new RedisSubscriber({ url: testbed.url, logger: SILENT });
  const verdicts = new ReceivedValues<VerdictChange>();
  bot.on('verdict', verdicts.add);
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'], ...BOUNDS });
  bot.subscribe(SECOND, () => {}, { keys: ['AAPL'], ...BOUNDS });
  await bot.startListening();
  const until = (channel: PriceChannel, verdict: string, from = 0) =>
    verdicts.until((change) => change.channel === channel.name && change.verdict === verdict, from);
  const changesOf = (channel: PriceChannel, from: number) =>
    verdicts.all.slice(from).filter((change) => change.channel === channel.name);
  await Promise.all([until(CHANNELS.PRICE_DATA, 'fresh'), until(SECOND, 'fresh')]);

  // Each venue has its statuses, also of the instrument that both have.
  const keysOf = async (channel: string) =>
    (await testbed.redis.answers(`HKEYS tickbus:{${channel}}:last`))
      .split('\r\n')
      .filter((line) => /^\w/.test(line));
  expect((await keysOf('FEED_STATUS')).sort()).toEqual(['PRICE_DATA.second', 'alpaca']);
  await expect
    .poll(async () => (await keysOf('INSTRUMENT_STATUS')).sort())
    .toEqual(['AAPL', 'PRICE_DATA.second AAPL']);
  const beforeHalt = verdicts.all.length;
  venue.report('halted');
  await until(SECOND, 'halted', beforeHalt);
  expect(() => bot.requireFresh(SECOND, 'AAPL', BOUNDS)).toThrow('halted');
  venue.report('trading');
  await until(SECOND, 'fresh', beforeHalt);
  expect(changesOf(CHANNELS.PRICE_DATA, beforeHalt)).toEqual([]);
  expect(await run('status')).toBe(
    '0 All is well: websocket on PRICE_DATA.second, alpaca are live, and no bot runs.\n',
  );

  const killedAt = verdicts.all.length;
  await first.kill();
  await until(CHANNELS.PRICE_DATA, 'gateway_down', killedAt);
  expect(bot.latest(SECOND, 'AAPL').verdict).toBe('fresh');
  expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', BOUNDS)).toThrow('gateway_down');
  // The bot has missed three heartbeats.
  expect(await checkFeed(CHANNELS.PRICE_DATA)).toMatch(
    /^[13] .*alpaca .*its gateway .* has not reported for/,
  );
  expect(await checkFeed(SECOND)).toMatch(/^0 OK: websocket on PRICE_DATA\.second is live, last frame/);
  expect(await run('status')).toMatch(/^1 The gateway of alpaca \(\S+\) has not reported for \d+ s\.\n$/);

  // The channel of the killed gateway is not free for another feed at once, but for the same one.
  const sip = { ALPACA_URL: testbed.broker.url.replace('iex', 'sip') };
  expect(await refusal({ ...LEASE, ...sip })).toMatch(
    /^The feed of this gateway is alpaca \(sip\), but .* alpaca \(iex\)/m,
  );
  await using connection = new RedisConnection({ url: testbed.url, logger: SILENT });
  const wrong = createGateway({
    createFeed: async () => createAlpacaFeed({ url: testbed.broker.url, ...CREDENTIALS }),
    channel: SECOND,
    connection,
    logger: SILENT,
  });
  await expect(wrong.start()).rejects.toThrow(
    /^The feed of this gateway is alpaca .*, but the feed of PRICE_DATA\.second is websocket/,
  );
  await wrong.stop();
  testbed.spawnGateway(LEASE);
  await until(CHANNELS.PRICE_DATA, 'fresh', killedAt);
  expect(changesOf(SECOND, killedAt)).toEqual([]);
});
