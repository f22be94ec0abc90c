// Prices that stop being fresh: the log of a bot and the detail in its status, also while no price arrives.

import { RecordingLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bot, type BotOverrides, defineBot } from '../../bot.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { ScriptedGateway } from '../../testing.ts';

let gateway: ScriptedGateway;
let subscriber: RedisSubscriber;
let logger: RecordingLogger;
const bots: Bot[] = [];
const details: (string | undefined)[] = [];
beforeEach(async () => {
  gateway = await ScriptedGateway.start();
  logger = new RecordingLogger();
  subscriber = new RedisSubscriber(gateway.overrides);
  subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => void details.push(data.detail));
  await subscriber.startListening();
});
afterEach(async () => {
  for (const bot of bots.splice(0)) await bot.stop();
  await subscriber.close();
  await gateway[Symbol.asyncDispose]();
  details.length = 0;
});

/** A bot that has a price of each symbol. */
async function start(options: BotOverrides, symbols: readonly string[]): Promise<Bot> {
  const bot = defineBot({ name: 'cross', ...gateway.overrides, logger, ...options });
  bot.onPrice(({ fresh }) => fresh());
  bots.push(bot);
  await bot.start();
  for (const symbol of symbols) await gateway.price(symbol, 100);
  await gateway.advance(1_000);
  return bot;
}

/** The lines about prices. */
function lines() {
  return logger.lines.flatMap(({ level, message, fields }) =>
    /[Pp]rices? (is|are) /.test(message) ? [{ level, message, ...fields }] : [],
  );
}

const NOT_FRESH = { level: 'warn', message: 'Prices are not fresh.', bot: 'cross' };
const FRESH = { level: 'info', message: 'All prices are fresh again.', bot: 'cross' };

describe('a crash of the gateway', () => {
  it('is one line for all instruments, and the detail of the status, until the takeover', async () => {
    const symbols = Array.from({ length: 250 }, (_, n) => `S${n}`);
    const bot = await start({ prices: symbols }, symbols);
    expect([lines(), details.at(-1)]).toEqual([[], undefined]);
    await gateway.crash();
    await gateway.advance(5_000);
    const reason = expect.stringContaining('gateway of scripted');
    const instruments = '250 of 250 instruments, such as S0';
    expect(lines()).toEqual([{ ...NOT_FRESH, verdict: 'gateway_down', reason, instruments }]);
    expect(details.at(-1)).toMatch(
      /^No fresh price of 250 of 250 instruments, such as S0: gateway_down\. .+ gateway of scripted/,
    );
    expect(bot.state).toBe('running');
    await gateway.takeOver();
    for (const symbol of symbols) await gateway.price(symbol, 101);
    await gateway.advance(1_000);
    expect(lines().slice(1)).toEqual([{ ...FRESH, afterMs: expect.any(Number) }]);
    expect(details.at(-1)).toBeUndefined();
  });

  it('is reported by a bot that takes all instruments', async () => {
    await start({}, ['AAPL', 'MSFT']);
    await gateway.crash();
    await gateway.advance(5_000);
    expect(lines()).toMatchObject([{ ...NOT_FRESH, verdict: 'gateway_down', instruments: 'any instrument' }]);
    expect(details.at(-1)).toContain('No fresh price of any instrument: gateway_down.');
  });

  it('stays in the status of a paused bot, after the reason of the pause', async () => {
    const bot = await start({ prices: ['AAPL'] }, ['AAPL']);
    await gateway.desk.ask(bot.commands, { bot: 'cross', reason: 'Lunch' }, { type: 'pause' });
    await gateway.crash();
    await gateway.advance(5_000);
    expect(details.at(-1)).toMatch(/^Lunch\. No fresh price of AAPL: gateway_down\. /);
    await bot.stop();
    expect(details.at(-1)).toBe('Lunch');
  });
});

it('a degraded feed is one line, although prices keep coming', async () => {
  const symbols = ['AAPL', 'MSFT', 'TSLA'];
  const bot = await start({ prices: symbols }, symbols);
  await gateway.advance(200);
  await gateway.feed('degraded', 'Half of the messages cannot be understood.');
  for (const symbol of symbols) await gateway.price(symbol, 101);
  expect(lines()).toMatchObject([{ ...NOT_FRESH, verdict: 'feed_down' }]);
  expect(details.at(-1)).toContain('The feed scripted is degraded: Half of the messages');
  expect(bot.stats.stale).toBe(3);
});

it('a halt is reported for its instrument, and a second one in another line', async () => {
  await start({ prices: ['AAPL', 'MSFT'] }, ['AAPL', 'MSFT']);
  await gateway.halt('AAPL', 'LUDP');
  await gateway.advance(2_000);
  expect(lines()).toMatchObject([{ ...NOT_FRESH, verdict: 'halted', instruments: 'AAPL' }]);
  await gateway.halt('MSFT');
  await gateway.advance(10_000);
  expect(lines().slice(1)).toMatchObject([{ instruments: '2 of 2 instruments, such as MSFT' }]);
});

it('a quiet instrument is not reported: the handler is called when its price changes', async () => {
  await start({ prices: ['AAPL', 'MSFT'] }, ['AAPL', 'MSFT']);
  for (let second = 0; second < 20; second++) {
    await gateway.price('AAPL', 100 + second);
    await gateway.advance(1_000);
  }
  expect([lines(), details.at(-1)]).toEqual([[], undefined]);
});

it('an instrument that never has a price is reported ten seconds after the start', async () => {
  await start({ prices: ['AAPL', 'APPL'], maxAgeMs: 60_000 }, ['AAPL']);
  await gateway.advance(8_000);
  expect(lines()).toEqual([]);
  await gateway.advance(3_000);
  expect(lines()).toMatchObject([{ ...NOT_FRESH, verdict: 'not_requested', instruments: 'APPL' }]);
  expect(details.at(-1)).toContain('No fresh price of APPL: not_requested.');
});

it('a flapping feed writes one line in ten seconds', async () => {
  await start({ prices: ['AAPL'] }, ['AAPL']);
  for (let second = 0; second < 20; second++) {
    await gateway.feed(second % 2 === 0 ? 'degraded' : 'live');
    await gateway.price('AAPL', 100 + second);
    await gateway.advance(1_000);
  }
  expect(lines().filter(({ message }) => message === NOT_FRESH.message).length).toBeLessThan(4);
});
