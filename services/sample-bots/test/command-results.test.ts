// Every command that a bot is given is answered: with what became of it, once, to whoever sent it.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bot } from '../bot.ts';
import { startMomentumBot } from '../momentum.ts';
import { startPaperTrader } from '../paper-trader.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

let world: BotHarness;
let trader: Bot;
let seen = 0;

beforeEach(async () => {
  seen = 0;
  world = await BotHarness.open();
  trader = await startPaperTrader({
    connection: world.connect(),
    logger: silentLogger,
    onPrice: () => seen++,
  });
});

afterEach(async () => {
  await trader.stop();
  await world.close();
});

async function results(count: number) {
  await eventually(() => expect(world.results.length).toBeGreaterThanOrEqual(count));
  return world.results;
}

it('tells of an order that was executed, with the id and the sender of the command', async () => {
  await world.publishPrice(100);
  await eventually(() => expect(seen).toBe(1));
  await world.placeOrder('paper-trader', 'buy', 10);
  expect(await results(1)).toEqual([
    {
      command_id: world.commands[0]?.id,
      bot: 'paper-trader',
      action: 'place_order',
      outcome: 'done',
      detail: '10 AAPL bought at 100.',
      by: 'test',
    },
  ]);
});

it('tells why an order was rejected', async () => {
  await world.placeOrder('paper-trader', 'buy', 1);
  await results(1);
  await world.publishPrice(100);
  await eventually(() => expect(seen).toBe(1));
  await world.placeOrder('paper-trader', 'buy', 1, { limit_price: 99 });
  await world.sendCommand('pause', 'paper-trader');
  await world.placeOrder('paper-trader', 'sell', 1);
  const told = (await results(4)).map(({ action, outcome, detail }) => [action, outcome, detail]);
  expect(told).toEqual([
    ['place_order', 'rejected', 'There is no price of AAPL yet.'],
    ['place_order', 'rejected', 'The price 100 is past the limit 99.'],
    ['pause', 'done', 'paper-trader is paused.'],
    ['place_order', 'rejected', 'paper-trader is paused.'],
  ]);
});

it('rejects what the bot cannot obey, and leaves commands for others to them', async () => {
  const momentum = await startMomentumBot({ connection: world.connect(), logger: silentLogger });
  await world.placeOrder('momentum', 'buy', 1);
  await world.sendCommand('pause', 'nobody');
  await world.sendCommand('pause', 'momentum');
  const told = (await results(2)).map(({ bot, outcome, detail }) => [bot, outcome, detail]);
  expect(told).toEqual([
    ['momentum', 'rejected', 'momentum does not obey place_order.'],
    ['momentum', 'done', 'momentum is paused.'],
  ]);
  await momentum.stop();
});

it('answers a command that comes again once, and one without an id not at all', async () => {
  const pause = { message_type: 'pause', data: { bot: 'paper-trader' }, timestamp: 0, sender: 'another' };
  await world.publishRaw(pause);
  await world.publishRaw({ ...pause, id: 'one' });
  await world.publishRaw({ ...pause, id: 'one' });
  await world.publishRaw({ ...pause, id: 'two' });
  expect((await results(2)).map(({ command_id }) => command_id)).toEqual(['one', 'two']);
  expect(trader.stats).toMatchObject({ commandsReceived: 3 });
  expect(trader.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ duplicates: 1 });
});

it('rejects a command whose time is over', async () => {
  const resume = { message_type: 'resume', data: { bot: 'paper-trader' }, timestamp: 0, sender: 'another' };
  await world.publishRaw({ ...resume, id: 'late', expires_at: resume.timestamp });
  expect(await results(1)).toMatchObject([
    { command_id: 'late', outcome: 'rejected', detail: 'It came after its time was over.' },
  ]);
  expect(trader.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ expired: 1, delivered: 0 });
});
