// The end of a bot, and definitions that are refused.

import { errorOf } from '@tickbus/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CHANNELS } from '../../constants.ts';
import { BotDesk } from './bot-desk.fixture.ts';

let desk: BotDesk;
beforeEach(async () => {
  desk = await BotDesk.open();
});
afterEach(() => desk.close());

describe('the end', () => {
  it('handles what was received, and reports stopping and stopped once', async () => {
    let finish: () => void = () => {};
    let total = 0;
    const bot = desk.define({ account: () => ({ position: total }) }).onCommand('cancel_all', async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      total = 7;
      return { outcome: 'done' };
    });
    await bot.start();
    const asked = desk.command('cancel_all');
    await expect.poll(() => bot.stats.commandsReceived).toBe(1);
    const stopped = Promise.all([bot.stop(), bot.stop()]);
    await desk.status({ state: 'stopping', position: 0 });
    finish();
    await stopped;
    expect(await asked).toMatchObject({ outcome: 'done' });
    await desk.status({ state: 'stopped', position: 7 });
    const states = desk.statuses.map(({ state }) => state);
    expect(states).toEqual(['running', 'stopping', 'stopped']);
    await desk.clock.advance(10_000);
    expect(desk.statuses).toHaveLength(3);
  });

  it('of a bot that never started publishes nothing', async () => {
    await desk.define().stop();
    await desk.define({ name: 'other' }).start();
    await desk.status({ bot: 'other' });
    expect(desk.statuses).toHaveLength(1);
  });

  it('leaves a given connection open', async () => {
    const connection = desk.connect();
    const bot = desk.define({ connection });
    await bot.start();
    await bot.stop();
    const next = desk.define({ connection, name: 'next' });
    await next.start();
    await desk.status({ bot: 'next', state: 'running' });
  });

  it('of run comes with stop', async () => {
    const listeners = () => [process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')];
    const [terminate = 0, interrupt = 0] = listeners();
    const bot = desk.define();
    const running = bot.run();
    await desk.status({ state: 'running' });
    expect(listeners()).toEqual([terminate + 1, interrupt + 1]);
    await bot.stop();
    await running;
    expect(listeners()).toEqual([terminate, interrupt]);
  });
});

describe('definitions that cannot work', () => {
  it.each([
    ['no name', { name: '' }, 'name'],
    ['an unknown option', { symbols: ['AAPL'] }, 'symbols'],
    ['a string of prices', { prices: 'AAPL' }, 'prices'],
    ['an interval of 0', { statusIntervalMs: 0 }, 'statusIntervalMs'],
    ['an endless age', { maxAgeMs: Number.POSITIVE_INFINITY }, 'maxAgeMs'],
  ])('%s', (_, options, field) => {
    const define = () => desk.define(options as never);
    expect(define).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', field }));
  });

  it('a handler that is none, a bundled command that the bot keeps, an own one without a schema', () => {
    const bot = desk.define();
    const reply = () => ({ outcome: 'done' }) as const;
    expect(() => bot.onPrice('buy' as never)).toThrow(
      /^onPrice has no handler: its last argument is not a function\.$/,
    );
    expect(() => bot.onCommand('pause' as never, reply)).toThrow(/carries out pause by itself/);
    expect(() => bot.onCommand('set_size' as never, reply)).toThrow(/set_size is no bundled command type/);
    expect(() => bot.onCommand('set_size' as never, undefined as never)).toThrow(
      /^onCommand has no handler: .* onCommand\(type, schema, handler\) for your own, with a Standard Schema/,
    );
    expect(() => bot.onCommand('pause', z.object({}), reply)).toThrow(/carries out pause by itself/);
  });

  it('a handler after the start', async () => {
    const bot = desk.define();
    await bot.start();
    expect(() => bot.onPrice(() => {})).toThrow(/after the start of the bot/);
  });

  it('a start without a server closes everything', async () => {
    const connection = desk.connect();
    await connection.close();
    const bot = desk.define({ connection });
    expect(await errorOf(bot.start())).toMatchObject({ code: 'TICKBUS_CLOSED' });
    expect(await errorOf(bot.publisher.publish(CHANNELS.AUDIT, {} as never))).toMatchObject({
      code: 'TICKBUS_CLOSED',
    });
  });
});
