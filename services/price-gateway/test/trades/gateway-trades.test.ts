// Which trades a gateway publishes on TRADES, with corrections, cancels and gaps, also after a takeover.

import type { TradeChange, TradeEvent } from '@tickbus/capture';
import { afterEach, expect, it } from 'vitest';
import { useEmbeddedGateways } from '../embedded-gateway.fixture.ts';
import { PickyFeed } from '../picky-feed.fixture.ts';
import { TradeBot } from './trade-bot.fixture.ts';

const testbed = useEmbeddedGateways();
const bots: TradeBot[] = [];
afterEach(async () => {
  for (const bot of bots.splice(0)) await bot[Symbol.asyncDispose]();
});

/** Each test trades later than those before it, because the server keeps their trades. Unix milliseconds. */
let now = Date.now() - 86_400_000;

function trade(price: number, more: Partial<TradeEvent> = {}): TradeEvent {
  return { kind: 'trade', symbol: 'AAPL', price, size: 1, timestamp: now++, ...more };
}

async function startBot(...keys: string[]): Promise<TradeBot> {
  const bot = await TradeBot.start(testbed.redis.url, keys);
  bots.push(bot);
  return bot;
}

async function start(options: Parameters<typeof testbed.startGateway>[0] = {}) {
  now += 3_600_000;
  const feed = new PickyFeed();
  const gateway = await testbed.startGateway({
    createFeed: async () => feed,
    symbols: ['AAPL'],
    demandIntervalMs: 20,
    ...options,
  });
  await expect.poll(() => gateway.stats.role).toBe('active');
  await expect.poll(() => feed.listener).toBeDefined();
  return { gateway, send: (...events: (TradeEvent | TradeChange)[]) => feed.listener?.onFrame(events), feed };
}

const hasLease = async () => (await testbed.redis.answers('EXISTS tickbus:{TRADES}:lease')).includes(':1');

it('publishes trades while a bot requests them, and takes the lease only then', async () => {
  const { gateway, send, feed } = await start({ symbolGraceMs: 0 });
  const observer = await startBot();
  send(trade(1));
  await testbed.prices.until(({ data }) => data.price === 1);
  expect(await hasLease()).toBe(false);

  const bot = await startBot('AAPL', 'MSFT');
  await expect.poll(() => feed.symbols).toContain('MSFT');
  await expect.poll(() => bot.of('trade_gap').length).toBe(2);
  expect(await hasLease()).toBe(true);
  send(trade(2), trade(3, { symbol: 'MSFT' }));
  await expect.poll(() => bot.prices).toEqual([2, 3]);

  await bots.pop()?.[Symbol.asyncDispose]();
  await expect.poll(() => feed.symbols).not.toContain('MSFT');
  send(trade(4));
  await testbed.prices.until(({ data }) => data.price === 4);
  await startBot('AAPL');
  await expect.poll(() => observer.of('trade_gap').length).toBe(3);
  send(trade(5));
  await expect.poll(() => observer.prices).toEqual([2, 3, 5]);
  const gap = observer.of('trade_gap').at(-1);
  expect(gap).toMatchObject({ symbol: 'AAPL', reason: 'start', from: expect.any(Number) });
  expect(gap?.to).toBeGreaterThanOrEqual(gap?.from ?? 0);
  expect(gateway.stats.trades).toMatchObject({ published: 3, late: 0, lost: 0 });
});

it('a broker that stops to serve one instrument interrupts that one, and no other', async () => {
  const bot = await startBot('AAPL', 'MSFT');
  const { send, feed } = await start({ symbols: ['AAPL', 'MSFT'] });
  const acknowledge = (...symbols: string[]) => feed.listener?.onSubscribed(symbols);
  acknowledge('AAPL', 'MSFT');
  send(trade(1), trade(2, { symbol: 'MSFT' }));
  await expect.poll(() => bot.prices).toEqual([1, 2]);
  const before = bot.of('trade_gap').length;
  acknowledge('MSFT');
  send(trade(3, { symbol: 'MSFT' }));
  const newest = now - 1;
  acknowledge('MSFT', 'AAPL');
  send(trade(4), trade(5, { symbol: 'MSFT' }));
  await expect.poll(() => bot.prices).toEqual([1, 2, 3, 4, 5]);
  expect(bot.of('trade_gap').slice(before)).toMatchObject([
    { symbol: 'AAPL', reason: 'interrupted', from: newest - 1 },
  ]);
});

it('publishes all trades, or none, if the settings say so', async () => {
  const bot = await startBot('AAPL');
  const none = await start({ trades: 'off' });
  none.send(trade(1));
  await testbed.prices.until(({ data }) => data.price === 1);
  expect(none.gateway.stats.trades.published).toBe(0);
  await none.gateway.stop();

  const observer = await startBot();
  const all = await start({ trades: 'all', symbols: ['AAPL', 'MSFT'] });
  all.send(trade(2), trade(3, { symbol: 'MSFT' }));
  await expect.poll(() => observer.prices).toEqual([2, 3]);
  await expect.poll(() => bot.prices).toEqual([2, 3]);
});

it('publishes two equal trades of one millisecond as two, and no price without a size', async () => {
  const bot = await startBot('AAPL');
  const { gateway, send } = await start();
  const equal = trade(1);
  send(equal, equal, trade(2, { size: 0 }), trade(3));
  await expect.poll(() => bot.prices).toEqual([1, 1, 3]);
  expect(gateway.stats.trades).toMatchObject({ published: 3, unsized: 1 });
});

it('publishes corrections and cancels once, with what is known of the original', async () => {
  const bot = await startBot('AAPL');
  const { gateway, send, feed } = await start();
  const first = trade(1, { trade_id: 'a', conditions: ['@'] });
  const second = trade(2);
  send(first, second);
  const corrected = { trade_id: 'b', price: 1.5, size: 2, conditions: ['@', 'I'] };
  const correction: TradeChange = {
    kind: 'correction',
    symbol: 'AAPL',
    original: { trade_id: 'a', price: 1, size: 1 },
    corrected,
    timestamp: now++,
  };
  const cancel: TradeChange = {
    kind: 'cancel',
    symbol: 'AAPL',
    original: { price: 2, size: 1 },
    reason: 'error',
    timestamp: now++,
  };
  send(correction, cancel);
  await expect.poll(() => bot.of('trade_cancel').length).toBe(1);
  expect(bot.of('trade_correction')).toEqual([
    {
      symbol: 'AAPL',
      timestamp: correction.timestamp,
      original: { trade_id: 'a', price: 1, size: 1, timestamp: first.timestamp },
      corrected: { ...corrected, timestamp: first.timestamp },
    },
  ]);
  expect(bot.of('trade_cancel')).toEqual([
    {
      symbol: 'AAPL',
      timestamp: cancel.timestamp,
      original: { price: 2, size: 1, timestamp: second.timestamp },
      reason: 'error',
    },
  ]);
  feed.listener?.onState({ type: 'connecting' });
  feed.listener?.onState({ type: 'live' });
  // The venue sends everything again, the first trade as corrected.
  send(
    { kind: 'trade', symbol: 'AAPL', ...corrected, timestamp: first.timestamp },
    second,
    correction,
    cancel,
  );
  send(trade(4));
  await expect.poll(() => bot.prices).toEqual([1, 2, 4]);
  expect(gateway.stats.trades).toMatchObject({ published: 3, corrected: 1, cancelled: 1, repeated: 4 });
});

it('publishes no trade twice after a takeover, and reports the time in between as a gap', async () => {
  const bot = await startBot('AAPL');
  const first = await start();
  const trades = [trade(1), trade(2), trade(2, { timestamp: now }), trade(2, { timestamp: now }), trade(3)];
  first.send(...trades);
  await expect.poll(() => bot.prices).toEqual([1, 2, 2, 2, 3]);
  await first.gateway.stop();

  now -= 3_600_000;
  const second = await start();
  second.send(...trades.slice(1), trade(4));
  await expect.poll(() => bot.prices).toEqual([1, 2, 2, 2, 3, 4]);
  expect(second.gateway.stats.trades).toMatchObject({ published: 1, repeated: 4 });
  const [, gap] = bot.of('trade_gap');
  expect(gap).toMatchObject({ symbol: 'AAPL', reason: 'start', from: trades[4]?.timestamp });
});
