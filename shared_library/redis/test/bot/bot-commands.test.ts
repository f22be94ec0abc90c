// The commands of a bot: own and bundled types, one answer to each, also while it is paused, busy or cut off.

import { errorOf, RecordingLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { CHANNELS } from '../../constants.ts';
import { BotDesk } from './bot-desk.fixture.ts';

let desk: BotDesk;
beforeEach(async () => {
  desk = await BotDesk.open();
});
afterEach(() => desk.close());

const size = z.object({ size: z.number().positive() });

it('carries out an own command, and answers what the handler returns', async () => {
  let current = 1;
  const bot = desk.define().onCommand('set_size', size, async ({ data, sender }) => {
    if (data.size > 100) return { outcome: 'rejected', detail: `${data.size} is too much for ${sender}.` };
    current = data.size;
    return { outcome: 'done', detail: `The size is ${current}.` };
  });
  await bot.start();
  const set = (value: number) =>
    desk.publisher.ask(bot.commands, { bot: 'momentum', size: value }, { type: 'set_size' });
  expect(await set(5)).toMatchObject({ outcome: 'done', detail: 'The size is 5.', action: 'set_size' });
  expect(await errorOf(set(500))).toMatchObject({
    code: 'TICKBUS_REJECTED',
    answer: { detail: '500 is too much for desk.', by: 'desk', bot: 'momentum' },
  });
  expect([current, bot.stats.commandsReceived]).toEqual([5, 2]);
});

it('rejects commands while paused, except cancellations and those that say so', async () => {
  const calls: string[] = [];
  const done = (what: string) => () => {
    calls.push(what);
    return { outcome: 'done' } as const;
  };
  const bot = desk
    .define()
    .onCommand('place_order', done('order'))
    .onCommand('cancel_all', done('cancel'))
    .onCommand('set_size', size, done('size'))
    .onCommand('flatten', z.object({}), done('flatten'), { whilePaused: true });
  await bot.start();
  await desk.command('pause');
  const refused = [
    desk.order(),
    desk.publisher.ask(bot.commands, { bot: 'momentum', size: 1 }, { type: 'set_size' }),
  ];
  for (const asked of refused)
    expect(await errorOf(asked)).toMatchObject({
      code: 'TICKBUS_REJECTED',
      answer: { detail: 'momentum is paused.' },
    });
  await desk.command('cancel_all');
  await desk.publisher.ask(bot.commands, { bot: 'momentum' }, { type: 'flatten' });
  await desk.command('resume');
  await desk.order();
  expect(calls).toEqual(['cancel', 'flatten', 'order']);
});

it('answers failed with the error of the handler, and says so in the status', async () => {
  const logger = new RecordingLogger();
  const bot = desk
    .define({ logger })
    .onCommand('place_order', () => {
      throw new Error('The broker is closed.');
    })
    .onCommand('cancel_all', () => Promise.reject('No broker.'));
  await bot.start();
  expect(await errorOf(desk.order())).toMatchObject({
    code: 'TICKBUS_FAILED',
    answer: { detail: 'The broker is closed.' },
  });
  await desk.status({ state: 'error', detail: 'The broker is closed.' });
  expect(await errorOf(desk.command('cancel_all'))).toMatchObject({ answer: { detail: 'No broker.' } });
  expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
});

it.each([undefined, null, true, {}, { outcome: 'ok' }, { outcome: 'done', detail: 7 }])(
  'answers failed if a handler in JavaScript returns %j',
  async (reply) => {
    const bot = desk
      .define()
      .onCommand('place_order', () => reply as never)
      .onCommand('cancel_all', async () => reply as never);
    await bot.start();
    for (const asked of [desk.order(), desk.command('cancel_all')])
      expect(await errorOf(asked)).toMatchObject({
        code: 'TICKBUS_FAILED',
        answer: { detail: expect.stringMatching(/^The handler of \w+ has ended without an outcome, so /) },
      });
    await desk.status({ state: 'error', detail: expect.stringContaining('without an outcome') });
  },
);

it('rejects a type that it does not handle', async () => {
  await desk.define().start();
  expect(await errorOf(desk.order())).toMatchObject({
    code: 'TICKBUS_REJECTED',
    answer: { detail: 'momentum does not support place_order.' },
  });
});

it('pauses at once while another command is being carried out, and answers expired ones', async () => {
  let finish: () => void = () => {};
  const bot = desk.define().onCommand('place_order', async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { outcome: 'done' };
  });
  await bot.start();
  const first = desk.order();
  await expect.poll(() => bot.stats.commandsReceived).toBe(1);
  const data = { bot: 'momentum', symbol: 'AAPL', side: 'sell', quantity: 1 } as const;
  const late = errorOf(desk.publisher.ask(CHANNELS.TRADE_COMMANDS, data, { expiresInMs: 100 }));
  await desk.command('pause');
  expect(bot.isPaused).toBe(true);
  await desk.clock.advance(100);
  finish();
  expect(await first).toMatchObject({ outcome: 'done' });
  expect(await late).toMatchObject({ code: 'TICKBUS_EXPIRED', retryable: true });
});

it('answers after the link is back', async () => {
  const connection = desk.connect();
  const bot = desk.define({ connection }).onCommand('cancel_all', () => {
    connection.publishing.disconnect();
    return { outcome: 'done' };
  });
  await bot.start();
  const asked = desk.command('cancel_all');
  await expect.poll(() => bot.stats.commandsReceived).toBe(1);
  await desk.clock.advance(1_000);
  connection.publishing.reconnect();
  await desk.clock.advance(250);
  expect(await asked).toMatchObject({ outcome: 'done' });
});

it('warns once about commands to a name that no program has', async () => {
  const logger = new RecordingLogger();
  const bot = desk.define({ logger });
  await bot.start();
  const warned = () =>
    logger.lines.filter(({ message }) => /^A command has no/.test(message)).map(({ fields }) => fields);
  const send = (to: string) => bot.send('cancel_all', { bot: to });
  // The receiver that is there is looked up first, so its warning would come first.
  await desk.define({ name: 'paper-trader' }).start();
  await send('paper-trader');
  await send('trader');
  const absent = { bot: 'momentum', type: 'cancel_all', to: 'trader' };
  await expect.poll(warned).toMatchObject([absent]);
  await desk.clock.advance(10_000);
  await send('trader');
  await send('typo');
  await expect.poll(warned).toMatchObject([absent, { to: 'typo' }]);
  const trader = desk.define({ name: 'trader' });
  await trader.start();
  await desk.clock.advance(10_000);
  await send('trader');
  await expect.poll(() => trader.stats.commandsReceived).toBe(1);
  await trader.stop();
  await desk.clock.advance(10_000);
  await send('trader');
  await expect.poll(warned).toMatchObject([absent, { to: 'typo' }, absent]);
});

it('gives up an answer that cannot be published', async () => {
  const connection = desk.connect();
  const logger = new RecordingLogger();
  const bot = desk.define({ connection, logger }).onCommand('cancel_all', () => {
    connection.publishing.disconnect();
    return { outcome: 'done' };
  });
  await bot.start();
  const asked = errorOf(desk.command('cancel_all'));
  await expect.poll(() => bot.stats.commandsReceived).toBe(1);
  await desk.clock.advance(10_250);
  expect(await asked).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  const warnings = logger.lines.filter(({ message }) => message === 'Answering a command failed');
  expect(warnings).toHaveLength(1);
});

it('shares the bundled channel if it has no own commands', async () => {
  expect(desk.define().commands).toBe(CHANNELS.TRADE_COMMANDS);
  const bot = desk.define().onMessage(CHANNELS.TRADE_COMMANDS, () => {});
  await bot.start();
  await desk.status({ state: 'running' });
});

it('ignores the own commands of other bots', async () => {
  const other = desk.define({ name: 'other' }).onCommand('set_size', size, () => ({ outcome: 'done' }));
  const bot = desk.define();
  await Promise.all([other.start(), bot.start()]);
  await desk.publisher.ask(other.commands, { bot: 'other', size: 1 }, { type: 'set_size' });
  expect(bot.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ received: 1, invalid: 0 });
  expect(bot.stats.commandsReceived).toBe(0);
});
