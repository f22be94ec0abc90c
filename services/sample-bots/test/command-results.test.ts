// Every command delivered to a bot has exactly one result.

import { silentLogger } from '@tickbus/test-kit';
import type { Bot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { momentumBot } from '../momentum.ts';
import { paperTrader } from '../paper-trader.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

let harness: BotHarness;
let trader: Bot;
let seen = 0;

beforeEach(async () => {
  seen = 0;
  harness = await BotHarness.open();
  trader = paperTrader({ connection: harness.connect(), logger: silentLogger }).onPrice(() => seen++);
  await trader.start();
});

afterEach(async () => {
  await trader.stop();
  await harness.close();
});

async function results(count: number) {
  await eventually(() => expect(harness.results.length).toBeGreaterThanOrEqual(count));
  return harness.results;
}

it('reports an executed order with the id and sender of the command', async () => {
  await harness.publishPrice(100);
  await eventually(() => expect(seen).toBe(1));
  await harness.placeOrder('paper-trader', 'buy', 10);
  expect(await results(1)).toEqual([
    {
      command_id: harness.commands[0]?.id,
      bot: 'paper-trader',
      action: 'place_order',
      outcome: 'done',
      detail: '10 AAPL bought at 100.',
      by: 'test',
    },
  ]);
});

it('reports why an order was rejected', async () => {
  await harness.placeOrder('paper-trader', 'buy', 1);
  await results(1);
  await harness.publishPrice(100);
  await eventually(() => expect(seen).toBe(1));
  await harness.placeOrder('paper-trader', 'buy', 1, { limit_price: 99 });
  await harness.sendCommand('pause', 'paper-trader');
  await harness.placeOrder('paper-trader', 'sell', 1);
  const reported = (await results(4)).map(({ action, outcome, detail }) => [action, outcome, detail]);
  expect(reported).toEqual([
    ['place_order', 'rejected', 'No price of AAPL has arrived yet.'],
    ['place_order', 'rejected', 'The price 100 does not meet the limit 99.'],
    ['pause', 'done', 'paper-trader is paused.'],
    ['place_order', 'rejected', 'paper-trader is paused.'],
  ]);
});

it('rejects unsupported commands, and ignores commands for other bots', async () => {
  const momentum = momentumBot({ connection: harness.connect(), logger: silentLogger });
  await momentum.start();
  await harness.placeOrder('momentum', 'buy', 1);
  await harness.sendCommand('pause', 'nobody');
  await harness.sendCommand('pause', 'momentum');
  const reported = (await results(2)).map(({ bot, outcome, detail }) => [bot, outcome, detail]);
  expect(reported).toEqual([
    ['momentum', 'rejected', 'momentum does not support place_order.'],
    ['momentum', 'done', 'momentum is paused.'],
  ]);
  await momentum.stop();
});

it('reports a duplicate command once, and a command without an id not at all', async () => {
  const pause = { message_type: 'pause', data: { bot: 'paper-trader' }, timestamp: 0, sender: 'another' };
  await harness.publishRaw(pause);
  await harness.publishRaw({ ...pause, id: 'one' });
  await harness.publishRaw({ ...pause, id: 'one' });
  await harness.publishRaw({ ...pause, id: 'two' });
  expect((await results(2)).map(({ command_id }) => command_id)).toEqual(['one', 'two']);
  expect(trader.stats).toMatchObject({ commandsReceived: 3 });
  expect(trader.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ duplicates: 1 });
});

it('answers an expired command', async () => {
  const resume = { message_type: 'resume', data: { bot: 'paper-trader' }, timestamp: 0, sender: 'another' };
  await harness.publishRaw({ ...resume, id: 'late', expires_at: resume.timestamp });
  expect(await results(1)).toMatchObject([
    { command_id: 'late', outcome: 'expired', detail: 'The command expired before delivery.' },
  ]);
  expect(trader.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ expired: 1, delivered: 0 });
});
