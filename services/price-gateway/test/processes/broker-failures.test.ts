// A gateway and a bot as processes, and a broker that does everything wrong: each time a clear state, log and metric,
// nothing stale accepted by a bot that reads in a tight loop, and recovery where there is one.

import { freePort } from '@tickbus/local-redis';
import type { SimulatedBroker } from '@tickbus/simulated-broker/broker';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { trade } from '../gateway.fixture.ts';
import type { BotProcess, GatewayProcess } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAX_AGE_MS = 1_000;
/** Shorter than that, so that the gateway is the first to notice. */
const SILENT_AFTER_MS = 500;

let stage: GatewayTestbed;
let gateway: GatewayProcess;
let bot: BotProcess;
let metricsUrl: string;

beforeAll(async () => {
  // Trades and quotes of three instruments.
  stage = await GatewayTestbed.start({ symbolLimit: 6 });
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  gateway = stage.spawnGateway({
    HTTP_PORT: String(port),
    SYMBOLS: 'AAPL,MSFT',
    SILENT_AFTER_MS: String(SILENT_AFTER_MS),
    RECONNECT_SILENT_MS: '2500',
  });
  bot = stage.spawnBot('AAPL,MSFT', MAX_AGE_MS);
  await bot.nextLine('accepts');
});

beforeEach(({ onTestFailed }) => {
  const from = gateway.lines.all.length;
  onTestFailed(() =>
    console.log(
      gateway.lines.all
        .slice(from)
        .map((line) => JSON.stringify(line))
        .join('\n'),
    ),
  );
});

afterAll(() => stage?.[Symbol.asyncDispose]());

/** The figure of a metric of the gateway; 0 where it is not there. */
async function metric(name: string): Promise<number> {
  const lines = (await (await fetch(metricsUrl)).text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`tickbus_gateway_${name} `))?.split(' ')[1] ?? 0);
}

function expectNothingStale(from: number): void {
  for (const { oldestAcceptedMs } of bot.linesOf('refuses', from))
    expect(oldestAcceptedMs).toBeLessThanOrEqual(MAX_AGE_MS);
}

interface BrokerFailureCase {
  /** What the broker does. */
  readonly happen: (broker: SimulatedBroker) => void;
  /** The code that its refusal is counted under. */
  readonly code: string;
  readonly detail: RegExp;
}

const failures: Record<string, BrokerFailureCase> = {
  '406 while another program holds the connection': {
    happen: ({ faults }) => {
      faults.failAuthentication(406);
      faults.drop();
    },
    code: '406',
    detail:
      /^The broker answered 406 connection limit exceeded\. Another program holds .* Retrying in \d+ ms\.$/,
  },
  '404 for a handshake that takes too long': {
    happen: ({ faults }) => {
      faults.failAuthentication(404);
      faults.drop();
    },
    code: '404',
    detail: /^The broker answered 404 auth timeout\. .* Retrying in \d+ ms\.$/,
  },
  '407 for a slow client': {
    happen: ({ faults }) => faults.sendError(407),
    code: '407',
    detail: /^The broker answered 407 slow client\. .* Retrying in \d+ ms\.$/,
  },
  '500 for an internal error': {
    happen: ({ faults }) => faults.sendError(500),
    code: '500',
    detail: /^The broker answered 500 internal error\. .*Retrying in \d+ ms\.$/,
  },
  'a close': {
    happen: ({ faults }) => faults.close(),
    code: 'none',
    detail: /^The broker closed the connection\. Retrying in \d+ ms\.$/,
  },
  'a connection that is cut': {
    happen: ({ faults }) => faults.drop(),
    code: 'none',
    detail: /^The broker closed the connection\. Retrying in \d+ ms\.$/,
  },
};

it.each(Object.entries(failures))('%s: down, and up again', async (_, { happen, code, detail }) => {
  const [from, told, lines] = [bot.lines.all.length, stage.statuses.all.length, gateway.lines.all.length];
  const before = await metric(`broker_errors_total{code="${code}"}`);
  happen(stage.broker);
  await stage.statuses.until((status) => status.state === 'down' && detail.test(status.detail ?? ''), told);
  const down = stage.statuses.all.length;
  stage.broker.faults.recover();
  await stage.nextStatus('live', down);
  await stage.nextPrice();

  const logged = await gateway.lines.until(({ level, msg }) => level === 40 && detail.test(msg), lines);
  expect(logged).toMatchObject({ feed: 'alpaca', ...(code !== 'none' && { code: Number(code) }) });
  expect(await metric(`broker_errors_total{code="${code}"}`)).toBeGreaterThan(before);
  expectNothingStale(from);
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1 });
});

it('a broker that goes mute but stays connected: feed_down within the silence that is set, then a new connection', async () => {
  const [from, told] = [bot.lines.all.length, stage.statuses.all.length];
  stage.broker.faults.mute();
  const silent = await stage.nextStatus('silent', told);
  expect(silent.detail).toBe(`No frame received for ${SILENT_AFTER_MS} ms.`);
  // Told once the silence is over, and not before; how promptly depends on the machine.
  expect(silent.last_frame_ago_ms).toBeGreaterThanOrEqual(SILENT_AFTER_MS);
  await bot.nextLine('verdict', from, ({ key, verdict }) => key === 'AAPL' && verdict === 'feed_down');
  expect(await metric('feed_state{state="silent"}')).toBe(1);
  expect((await stage.nextStatus('down', told)).detail).toMatch(
    /^No frame received for 2500 ms\. Retrying in/,
  );
  stage.broker.faults.recover();
  await bot.nextLine('accepts', from);
  expectNothingStale(from);
});

it('a quiet instrument on a living feed is quiet_market, and never feed_down', async () => {
  await stage.nextStatus('live');
  // What the broker did before may still be on the bot's mind; of MSFT it has heard nothing yet.
  const lastOfMsft = bot.linesOf('verdict', 0).findLast(({ key }) => key === 'MSFT');
  let from = bot.lines.all.length;
  const ofMsft = (verdict: string) =>
    bot.nextLine('verdict', from, (told) => told.key === 'MSFT' && told.verdict === verdict);
  if (lastOfMsft?.verdict !== 'quiet_market') await ofMsft('quiet_market');
  from = bot.lines.all.length;
  stage.market.push(trade(300, 'MSFT'));
  await ofMsft('fresh');
  const told = await ofMsft('quiet_market');
  expect(told.reason).toContain('has not changed');
  const verdicts = bot.linesOf('verdict', from).filter(({ key }) => key === 'MSFT');
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(['fresh', 'quiet_market']);
});

it('half a frame: silent, then a new connection', async () => {
  const [from, told] = [bot.lines.all.length, stage.statuses.all.length];
  stage.broker.faults.sendHalfFrame();
  await stage.nextStatus('silent', told);
  await stage.nextStatus('down', told);
  stage.broker.faults.recover();
  await bot.nextLine('accepts', from);
  expectNothingStale(from);
  expect(stage.broker.stats).toMatchObject({ maxConcurrent: 1 });
});

it.each([
  ['garbage', () => 'this is no message'],
  ['10 MB', () => 'x'.repeat(10 * 1024 * 1024)],
])('%s: counted, logged, and the next price comes', async (_, content) => {
  await stage.nextStatus('live');
  const [told, lines] = [stage.statuses.all.length, gateway.lines.all.length];
  const before = await metric('invalid_frames_total');
  stage.broker.faults.sendFrame(content());
  await vi.waitFor(async () => expect(await metric('invalid_frames_total')).toBe(before + 1), 30_000);
  await stage.nextPrice();
  expect(stage.statuses.all.slice(told).filter(({ state }) => state === 'down')).toEqual([]);
  // Once in a while is enough for what may come with every tick.
  const logged = gateway.lines.all.filter(({ msg }) => msg.startsWith('Dropped a frame of the broker'));
  expect(logged.length).toBeGreaterThanOrEqual(1);
  expect(JSON.stringify(gateway.lines.all.slice(lines)).length).toBeLessThan(100_000);
});

it('405 for one instrument too many: who asked is told, and who has his keeps it', async () => {
  const late = stage.spawnBot('TSLA,NVDA', MAX_AGE_MS);
  const refused = await late.nextLine('instrument', 0, ({ state }) => state === 'refused');
  expect(refused.detail).toMatch(/405/);
  const served = await late.nextLine('instrument', 0, ({ state }) => state === 'subscribed');
  expect([refused.key, served.key].sort()).toEqual(['NVDA', 'TSLA']);
  await vi.waitFor(async () => expect(await metric('instruments_refused')).toBe(1), 30_000);
  expect(await metric('instruments_wanted')).toBe(4);
  stage.market.push(trade(1, served.key));
  await stage.prices.until(({ data }) => data.symbol === served.key);
  await stage.nextPrice();
  expect((await stage.nextStatus('live')).instruments).toBe(3);
});

it('402 for a wrong key: down for good, and it says what to do', async () => {
  const [from, told] = [bot.lines.all.length, stage.statuses.all.length];
  stage.broker.faults.failAuthentication(402);
  stage.broker.faults.drop();
  const isFinal = /^The broker answered 402 auth failed\. Check the key and the secret .* Not retrying\.$/;
  await stage.statuses.until(({ detail }) => isFinal.test(detail ?? ''), told);
  await gateway.lines.until(({ level, msg }) => level === 50 && isFinal.test(msg));
  await bot.nextLine('refuses', from);
  await bot.nextLine('verdict', from, ({ key, verdict }) => key === 'AAPL' && verdict === 'feed_down');
  const ready = await fetch(metricsUrl.replace('metrics', 'readyz'));
  expect([ready.status, await ready.json()]).toMatchObject([503, { role: 'active', feed: 'down' }]);
  expect(await metric('broker_errors_total{code="402"}')).toBe(1);
  expect(await metric('feed_state{state="down"}')).toBe(1);
  expectNothingStale(from);
});
