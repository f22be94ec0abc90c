// One test of a bot with fake timers, the scripted gateway and asks together.

import { errorOf, silentLogger } from '@tickbus/test-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { defineBot } from '../../bot.ts';
import { CHANNELS } from '../../constants.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { ScriptedGateway } from '../../testing.ts';
import { FAKES, uninstallFakes } from './fakes.fixture.ts';

afterEach(uninstallFakes);

async function open() {
  const gateway = await ScriptedGateway.start({ clock: systemClock });
  const { connection } = gateway;
  const bot = defineBot({
    name: 'momentum',
    prices: ['AAPL'],
    maxAgeMs: 2_000,
    connection,
    logger: silentLogger,
  });
  bot.onPrice(({ symbol, fresh, send }) => {
    if (fresh().price > 100) send('place_order', { bot: 'trader', symbol, side: 'buy', quantity: 1 });
  });
  await bot.start();
  const end = async () => {
    await bot.stop();
    await gateway[Symbol.asyncDispose]();
  };
  const ask = (name: string, timeoutMs = 2_000) =>
    gateway.desk.ask(bot.commands, { bot: name }, { type: 'pause', timeoutMs });
  return { gateway, bot, ask, [Symbol.asyncDispose]: end };
}

describe.each(FAKES)('with $name', ({ install, advance }) => {
  it('a bot trades, grows stale, and is asked', async () => {
    install();
    await using desk = await open();
    const { gateway, bot, ask } = desk;
    await gateway.price('AAPL', 101);
    expect(gateway.sent('place_order')).toHaveLength(1);
    await advance(2_100);
    expect(bot.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs: 2_000 }).verdict).toBe(
      'quiet_market',
    );
    expect(await ask('momentum')).toMatchObject({ outcome: 'done' });
    await gateway.price('AAPL', 102);
    expect([bot.isPaused, gateway.sent('place_order').length]).toEqual([true, 1]);
    expect(await errorOf(ask('nobody'))).toMatchObject({ code: 'TICKBUS_ABSENT' });
    await gateway.gap('AAPL', 103, 104);
    expect(await ask('momentum')).toMatchObject({ outcome: 'done' });
  });

  it('an ask without an answer ends by its time', async () => {
    install();
    await using desk = await open();
    await using silent = new RedisSubscriber({
      ...desk.gateway.overrides,
      name: 'silent',
      logger: silentLogger,
    });
    silent.subscribe(CHANNELS.TRADE_COMMANDS, () => {});
    await silent.startListening();
    const failed = errorOf(desk.ask('silent'));
    await advance(2_100);
    expect(await failed).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  });

  it('a status of a plain client is adopted', async () => {
    install();
    await using desk = await open();
    const { connection } = desk.gateway;
    await using adopter = new RedisSubscriber({ connection, adopt: true, logger: silentLogger });
    adopter.subscribe(CHANNELS.BOT_STATUS, () => {});
    await adopter.startListening();
    const data = { bot: 'python', state: 'running' };
    const status = { message_type: 'bot_status', data, timestamp: Date.now(), sender: 'python' };
    connection.server.publishRaw(CHANNELS.BOT_STATUS.name, new TextEncoder().encode(JSON.stringify(status)));
    for (let turn = 0; turn < 10; turn++) await new Promise<void>(systemClock.nextTurn);
    await using late = new RedisSubscriber({ connection, logger: silentLogger });
    const bots: string[] = [];
    late.subscribe(CHANNELS.BOT_STATUS, ({ data: { bot } }) => void bots.push(bot));
    await late.startListening();
    expect(bots).toContain('python');
  });
});
