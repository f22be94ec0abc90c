// A gateway and a bot as processes, and a broker that fails in every way. Each failure has a clear state, log and
// metric, a bot that reads in a tight loop accepts no stale price, and the gateway recovers from retryable failures.

import { freePort } from '@tickbus/local-redis';
import type { SimulatedBroker } from '@tickbus/simulated-broker/broker';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { trade } from '../gateway.fixture.ts';
import type { BotProcess, GatewayProcess } from './child-processes.fixture.ts';
import { GatewayTestbed } from './gateway-testbed.fixture.ts';

// Processes take a while to start on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAX_AGE_MS = 1_000;
/** Shorter than `MAX_AGE_MS`, so that the gateway detects the silence first. */
const SILENT_AFTER_MS = 500;

let testbed: GatewayTestbed;
let gateway: GatewayProcess;
let bot: BotProcess;
let metricsUrl: string;

beforeAll(async () => {
  // The limit permits trades and quotes of three instruments.
  testbed = await GatewayTestbed.start({ symbolLimit: 6 });
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  gateway = testbed.spawnGateway({
    HTTP_PORT: String(port),
    SYMBOLS: 'AAPL,MSFT',
    SILENT_AFTER_MS: String(SILENT_AFTER_MS),
    RECONNECT_SILENT_MS: '2500',
  });
  bot = testbed.spawnBot('AAPL,MSFT', MAX_AGE_MS);
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

afterAll(() => testbed?.[Symbol.asyncDispose]());

/** The value of a metric of the gateway; 0 if it does not exist. */
async function metric(name: string): Promise<number> {
  const lines = (await (await fetch(metricsUrl)).text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`tickbus_gateway_${name} `))?.split(' ')[1] ?? 0);
}

function expectNothingStale(from: number): void {
  for (const { oldestAcceptedMs } of bot.linesOf('refuses', from))
    expect(oldestAcceptedMs).toBeLessThanOrEqual(MAX_AGE_MS);
}

interface BrokerFailureCase {
  /** Injects the failure. */
  readonly inject: (broker: SimulatedBroker) => void;
  /** The `code` label of the metric that counts the failure. */
  readonly code: string;
  readonly detail: RegExp;
}

const failures: Record<string, BrokerFailureCase> = {
  '406 while another program holds the connection': {
    inject: ({ faults }) => {
      faults.failAuthentication(406);
      faults.drop();
    },
    code: '406',
    detail:
      /^The broker answered 406 connection limit exceeded\. Another program holds .* Retrying in \d+ ms\.$/,
  },
  '404 for an authentication timeout': {
    inject: ({ faults }) => {
      faults.failAuthentication(404);
      faults.drop();
    },
    code: '404',
    detail: /^The broker answered 404 auth timeout\. .* Retrying in \d+ ms\.$/,
  },
  '407 for a slow client': {
    inject: ({ faults }) => faults.sendError(407),
    code: '407',
    detail: /^The broker answered 407 slow client\. .* Retrying in \d+ ms\.$/,
  },
  '500 for an internal error': {
    inject: ({ faults }) => faults.sendError(500),
    code: '500',
    detail: /^The broker answered 500 internal error\. .*Retrying in \d+ ms\.$/,
  },
  'a close': {
    inject: ({ faults }) => faults.close(),
    code: 'none',
    detail: /^The broker closed the connection\. Retrying in \d+ ms\.$/,
  },
  'a dropped connection': {
    inject: ({ faults }) => faults.drop(),
    code: 'none',
    detail: /^The broker closed the connection\. Retrying in \d+ ms\.$/,
  },
};

it.each(Object.entries(failures))('%s: down, then live again', async (_, { inject, code, detail }) => {
  const [from, firstStatus, lines] = [
    bot.lines.all.length,
    testbed.statuses.all.length,
    gateway.lines.all.length,
  ];
  const before = await metric(`broker_errors_total{code="${code}"}`);
  inject(testbed.broker);
  await testbed.statuses.until(
    (status) => status.state === 'down' && detail.test(status.detail ?? ''),
    firstStatus,
  );
  const down = testbed.statuses.all.length;
  testbed.broker.faults.recover();
  await testbed.nextStatus('live', down);
  await testbed.nextPrice();

  const logged = await gateway.lines.until(({ level, msg }) => level === 40 && detail.test(msg), lines);
  expect(logged).toMatchObject({ feed: 'alpaca', ...(code !== 'none' && { code: Number(code) }) });
  expect(await metric(`broker_errors_total{code="${code}"}`)).toBeGreaterThan(before);
  expectNothingStale(from);
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1 });
});

it('a mute broker that stays connected: feed_down after SILENT_AFTER_MS, then a reconnect', async () => {
  const [from, firstStatus] = [bot.lines.all.length, testbed.statuses.all.length];
  testbed.broker.faults.mute();
  const silent = await testbed.nextStatus('silent', firstStatus);
  expect(silent.detail).toBe(`No frame received for ${SILENT_AFTER_MS} ms.`);
  // No upper bound, because the delay of the report depends on the machine.
  expect(silent.last_frame_ago_ms).toBeGreaterThanOrEqual(SILENT_AFTER_MS);
  await bot.nextLine('verdict', from, ({ key, verdict }) => key === 'AAPL' && verdict === 'feed_down');
  expect(await metric('feed_state{state="silent"}')).toBe(1);
  expect((await testbed.nextStatus('down', firstStatus)).detail).toMatch(
    /^No frame received for 2500 ms\. Retrying in/,
  );
  testbed.broker.faults.recover();
  await bot.nextLine('accepts', from);
  expectNothingStale(from);
});

it('a quiet instrument on a live feed is quiet_market, and never feed_down', async () => {
  await testbed.nextStatus('live');
  // The bot may still have a verdict from an earlier test; it has received no price of MSFT yet.
  const lastOfMsft = bot.linesOf('verdict', 0).findLast(({ key }) => key === 'MSFT');
  let from = bot.lines.all.length;
  const ofMsft = (verdict: string) =>
    bot.nextLine('verdict', from, (line) => line.key === 'MSFT' && line.verdict === verdict);
  if (lastOfMsft?.verdict !== 'quiet_market') await ofMsft('quiet_market');
  from = bot.lines.all.length;
  testbed.market.push(trade(300, 'MSFT'));
  await ofMsft('fresh');
  const quiet = await ofMsft('quiet_market');
  expect(quiet.reason).toContain('has not changed');
  const verdicts = bot.linesOf('verdict', from).filter(({ key }) => key === 'MSFT');
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(['fresh', 'quiet_market']);
});

it('half a frame: silent, then a reconnect', async () => {
  const [from, firstStatus] = [bot.lines.all.length, testbed.statuses.all.length];
  testbed.broker.faults.sendHalfFrame();
  await testbed.nextStatus('silent', firstStatus);
  await testbed.nextStatus('down', firstStatus);
  testbed.broker.faults.recover();
  await bot.nextLine('accepts', from);
  expectNothingStale(from);
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1 });
});

it('garbage: counted, logged, and the next price arrives', async () => {
  await testbed.nextStatus('live');
  const [firstStatus, lines] = [testbed.statuses.all.length, gateway.lines.all.length];
  const before = await metric('invalid_frames_total');
  testbed.broker.faults.sendFrame('this is not a message');
  await vi.waitFor(async () => expect(await metric('invalid_frames_total')).toBe(before + 1), 30_000);
  await testbed.nextPrice();
  expect(testbed.statuses.all.slice(firstStatus).filter(({ state }) => state === 'down')).toEqual([]);
  // The warning is rate-limited.
  const logged = gateway.lines.all.filter(({ msg }) => msg.startsWith('Dropped a frame of the broker'));
  expect(logged.length).toBeGreaterThanOrEqual(1);
  expect(JSON.stringify(gateway.lines.all.slice(lines)).length).toBeLessThan(100_000);
});

it('10 MB: the gateway cuts the connection, and prices arrive on the next one', async () => {
  await testbed.nextStatus('live');
  const [from, firstStatus] = [bot.lines.all.length, testbed.statuses.all.length];
  testbed.broker.faults.sendFrame('x'.repeat(10 * 1024 * 1024));
  const down = await testbed.nextStatus('down', firstStatus);
  expect(down.detail).toContain('Max payload size exceeded');
  await testbed.nextStatus('live', firstStatus);
  await testbed.nextPrice();
  expectNothingStale(from);
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1 });
});

it('405 past the symbol limit: the bot is notified, and served symbols stay', async () => {
  const late = testbed.spawnBot('TSLA,NVDA', MAX_AGE_MS);
  const refused = await late.nextLine('instrument', 0, ({ state }) => state === 'refused');
  expect(refused.detail).toMatch(/405/);
  const served = await late.nextLine('instrument', 0, ({ state }) => state === 'subscribed');
  expect([refused.key, served.key].sort()).toEqual(['NVDA', 'TSLA']);
  await vi.waitFor(async () => expect(await metric('instruments_refused')).toBe(1), 30_000);
  expect(await metric('instruments_wanted')).toBe(4);
  testbed.market.push(trade(1, served.key));
  await testbed.prices.until(({ data }) => data.symbol === served.key);
  await testbed.nextPrice();
  expect((await testbed.nextStatus('live')).instruments).toBe(3);
});

it('402 for a wrong key: down permanently, and the status explains what to do', async () => {
  const [from, firstStatus] = [bot.lines.all.length, testbed.statuses.all.length];
  testbed.broker.faults.failAuthentication(402);
  testbed.broker.faults.drop();
  const isFinal = /^The broker answered 402 auth failed\. Check the key and the secret .* Not retrying\.$/;
  await testbed.statuses.until(({ detail }) => isFinal.test(detail ?? ''), firstStatus);
  await gateway.lines.until(({ level, msg }) => level === 50 && isFinal.test(msg));
  await bot.nextLine('refuses', from);
  await bot.nextLine('verdict', from, ({ key, verdict }) => key === 'AAPL' && verdict === 'feed_down');
  const ready = await fetch(metricsUrl.replace('metrics', 'readyz'));
  expect([ready.status, await ready.json()]).toMatchObject([503, { role: 'active', feed: 'down' }]);
  expect(await metric('broker_errors_total{code="402"}')).toBe(1);
  expect(await metric('feed_state{state="down"}')).toBe(1);
  expectNothingStale(from);
});
