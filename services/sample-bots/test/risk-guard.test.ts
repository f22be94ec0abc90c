// The risk guard: conditions for pause and resume.

import { silentLogger } from '@tickbus/test-kit';
import { type BotStatus, RedisConnection, TickbusError } from 'tickbus';
import type { Bot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { momentumBot } from '../momentum.ts';
import { paperTrader } from '../paper-trader.ts';
import { type RiskGuardOptions, riskGuard } from '../risk-guard.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

let harness: BotHarness;
const bots: Bot[] = [];

beforeEach(async () => {
  harness = await BotHarness.open();
});

afterEach(async () => {
  for (const bot of bots.splice(0)) await bot.stop();
  await harness.close();
});

async function startGuard(options: RiskGuardOptions = {}): Promise<Bot> {
  const limits = { maxLoss: 100, maxExposure: 1_000 };
  const shared = { connection: harness.connect(), logger: silentLogger };
  const guard = riskGuard({ ...shared, ...limits, ...options });
  bots.push(guard);
  await guard.start();
  return guard;
}

function trader(details: Pick<BotStatus, 'position' | 'pnl'>): Promise<void> {
  return harness.publishStatus({ bot: 'paper-trader', state: 'running', ...details });
}

function momentum(state: BotStatus['state'], detail?: string): Promise<void> {
  return harness.publishStatus({ bot: 'momentum', state, ...(detail !== undefined && { detail }) });
}

/** Waits for `count` commands and returns all. */
async function commands(count: number) {
  await eventually(() => expect(harness.commands.length).toBeGreaterThanOrEqual(count));
  return harness.commands.map(({ message_type, data }) => [
    message_type,
    data.bot,
    'reason' in data && data.reason,
  ]);
}

const LOSS = 'The loss is 100.01; the limit is 100.';

it('pauses above the loss limit, and resumes well below it', async () => {
  const guard = await startGuard();
  await momentum('running');
  await trader({ pnl: -100 });
  await trader({ pnl: -100.01 });
  expect(await commands(1)).toEqual([['pause', 'momentum', LOSS]]);
  await momentum('paused', LOSS);
  await trader({ pnl: -90 });
  await trader({ pnl: -80 });
  expect(await commands(2)).toEqual([
    ['pause', 'momentum', LOSS],
    ['resume', 'momentum', 'Loss and exposure are within their limits.'],
  ]);
  await eventually(() => expect(guard.stats).toMatchObject({ commandsSent: 2, commandsFailed: 0 }));
});

it('pauses if a price makes the exposure too large, long and short', async () => {
  await startGuard();
  await momentum('running');
  await harness.publishPrice(100, 0, 'AAPL');
  await harness.publishPrice(50, 0, 'MSFT');
  await trader({ position: { AAPL: 5, MSFT: -10 } });
  await harness.publishPrice(50.1, 0, 'MSFT');
  expect(await commands(1)).toEqual([['pause', 'momentum', 'The exposure is 1001.00; the limit is 1000.']]);
});

it('repeats the pause if the target still reports running', async () => {
  await startGuard();
  await momentum('running');
  await trader({ pnl: -100.01 });
  await commands(1);
  await trader({ pnl: -100.01 });
  await momentum('running');
  expect(await commands(2)).toEqual([
    ['pause', 'momentum', LOSS],
    ['pause', 'momentum', LOSS],
  ]);
});

it('does not resume a bot that an operator has paused', async () => {
  await startGuard();
  await momentum('paused', 'Paused by the operator.');
  await trader({ pnl: -200 });
  await trader({ pnl: 0 });
  await momentum('paused', 'Paused by the operator.');
  await momentum('paused');
  await momentum('running');
  await trader({ pnl: -100.01 });
  expect(await commands(1)).toEqual([['pause', 'momentum', LOSS]]);
});

it('sends no commands while paused, and catches up when resumed', async () => {
  await startGuard();
  await harness.sendCommand('pause', 'risk-guard');
  await momentum('running');
  await trader({ pnl: -100.01 });
  await eventually(() => expect(harness.latestStatus('risk-guard')?.state).toBe('paused'));
  expect(harness.commands).toHaveLength(1);
  await harness.sendCommand('resume', 'risk-guard');
  await eventually(() => expect(harness.latestStatus('risk-guard')?.state).toBe('running'));
  await trader({ pnl: -100.01 });
  expect((await commands(3)).at(-1)).toEqual(['pause', 'momentum', LOSS]);
});

it('works together with the other two bots', async () => {
  const rules = { quantity: 5, threshold: 0.01 };
  bots.push(paperTrader({ connection: harness.connect(), logger: silentLogger }));
  bots.push(momentumBot({ connection: harness.connect(), logger: silentLogger, ...rules }));
  for (const bot of bots) await bot.start();
  await startGuard({ maxExposure: 500, maxLoss: 10_000 });
  await harness.publishPrice(100, 0);
  for (const { subscriber } of bots) {
    await eventually(() => expect(subscriber.status(CHANNELS.PRICE_DATA)?.delivered).toBe(1));
  }
  await harness.publishPrice(102, 100);
  await eventually(() => expect(harness.latestStatus('momentum')?.state).toBe('paused'));
  expect(harness.latestStatus('paper-trader')?.position).toEqual({ AAPL: 5 });
  await harness.publishPrice(70, 200);
  await eventually(() => expect(harness.latestStatus('momentum')?.state).toBe('running'));
  expect(harness.commands.map(({ message_type }) => message_type)).toEqual([
    'place_order',
    'pause',
    'resume',
  ]);
});

it('fails fast without Redis, and leaves nothing open', async () => {
  const connection = new RedisConnection({ host: '127.0.0.1', port: 1, logger: silentLogger });
  const started = riskGuard({ connection, logger: silentLogger }).start();
  await expect(started).rejects.toBeInstanceOf(TickbusError);
  await expect(started).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  await connection.close();
});
