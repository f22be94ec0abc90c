// The example of an own bot: what it orders, and how many lines it takes. The packed library runs it in
// scripts/test/package.test.ts.

import { readFileSync } from 'node:fs';
import { silentLogger } from '@tickbus/test-kit';
import { ScriptedGateway } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { movingAverage } from '../own-bot/moving-average.ts';

/** The lines of code of a file: no comments, no empty lines. */
function linesOf(name: string): number {
  const source = readFileSync(new URL(`../own-bot/${name}`, import.meta.url), 'utf8');
  return source.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//')).length;
}

it('takes at most 20 lines, and its test 15', () => {
  expect(linesOf('moving-average.ts') + linesOf('main.ts')).toBeLessThanOrEqual(20);
  expect(linesOf('moving-average.test.ts')).toBeLessThanOrEqual(15);
});

it('buys above the average, in the size of the last command, and not while it is paused', async () => {
  await using gateway = await ScriptedGateway.start();
  await using bot = movingAverage({ ...gateway.overrides, logger: silentLogger });
  await bot.start();
  const quantities = () => gateway.sent('place_order').map(({ quantity }) => quantity);
  for (const price of [100, 90, 101]) await gateway.price('AAPL', price);
  expect(quantities()).toEqual([10]);
  await gateway.desk.ask(bot.commands, { bot: 'average', size: 3 }, { type: 'set_size' });
  await gateway.price('AAPL', 102);
  expect(quantities()).toEqual([10, 3]);
  await gateway.desk.ask(bot.commands, { bot: 'average' }, { type: 'pause' });
  await gateway.price('AAPL', 103);
  expect(bot.stats).toMatchObject({ commandsSent: 2, ordersHeldBack: 1 });
});
