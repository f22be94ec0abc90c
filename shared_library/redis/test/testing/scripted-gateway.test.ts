// The scripted gateway: what bots see of it, with the kit and with a plain subscriber.

import { errorOf, silentLogger } from '@tickbus/test-kit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineBot } from '../../bot.ts';
import { priceChannel } from '../../channel/venue-channels.ts';
import { CHANNELS } from '../../constants.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { ScriptedGateway, type ScriptedGatewayOptions } from '../../testing.ts';

const { PRICE_DATA, FEED_STATUS, INSTRUMENT_STATUS } = CHANNELS;

afterEach(() => void vi.useRealTimers());

/** A plain subscriber of PRICE_DATA, FEED_STATUS and INSTRUMENT_STATUS, and all that it gets. */
async function watch(gateway: ScriptedGateway, channel = PRICE_DATA) {
  const subscriber = new RedisSubscriber({ ...gateway.overrides, logger: silentLogger });
  const prices: object[] = [];
  const feeds: object[] = [];
  const instruments: object[] = [];
  const gaps: unknown[] = [];
  subscriber.subscribe(channel, ({ data }) => void prices.push(data));
  subscriber.subscribe(FEED_STATUS, ({ data }) => void feeds.push(data));
  subscriber.subscribe(INSTRUMENT_STATUS, ({ data }) => void instruments.push(data));
  subscriber.on('gap', (gap) => gap.channel === channel.name && gaps.push([gap.cause, gap.repaired]));
  await subscriber.startListening();
  const latest = (symbol = 'AAPL', maxAgeMs = 2_000) =>
    subscriber.latest(channel, symbol, { maxAgeMs, maxQuietMs: 60_000 });
  const verdict = (symbol?: string, maxAgeMs?: number) => latest(symbol, maxAgeMs).verdict;
  return { subscriber, prices, feeds, instruments, gaps, latest, verdict };
}

async function running(options?: ScriptedGatewayOptions) {
  const gateway = await ScriptedGateway.start(options);
  const bot = await watch(gateway, options?.channel);
  await gateway.price('AAPL', 100);
  const end = async () => {
    await bot.subscriber.close();
    await gateway[Symbol.asyncDispose]();
  };
  return { gateway, ...bot, [Symbol.asyncDispose]: end };
}

describe('messages', () => {
  it('a trade is published as by the gateway, under the lease, with a position', async () => {
    await using desk = await running();
    const { message } = desk.latest();
    expect(message).toMatchObject({
      seq: 1,
      data: { symbol: 'AAPL', price: 100, cause: 'trade', source: 'trade' },
    });
    expect(desk.instruments).toMatchObject([{ symbol: 'AAPL', state: 'subscribed', feed: 'scripted' }]);
    const lease = (await desk.gateway.connection.subscribing.head(PRICE_DATA)).lease;
    expect(desk.feeds.at(-1)).toMatchObject({
      lease,
      state: 'live',
      interval_ms: 500,
      reports_instruments: true,
    });
    expect(desk.instruments.at(-1)).toMatchObject({ lease });
  });

  it('a quote keeps the price of the last trade, and a withdrawn side is left out', async () => {
    await using desk = await running();
    await desk.gateway.quote('AAPL', { bid: 99, ask: 101 });
    await desk.gateway.quote('AAPL', { ask: 101 });
    expect(desk.prices.slice(1)).toMatchObject([
      { price: 100, cause: 'quote', source: 'trade', bid: 99, ask: 101 },
      { price: 100, cause: 'quote', source: 'trade', ask: 101 },
    ]);
    expect(desk.prices.at(-1)).not.toHaveProperty('bid');
  });

  it('without a trade the price is the midpoint, and a withdrawn side ends it', async () => {
    await using desk = await running();
    await desk.gateway.quote('MSFT', { bid: 10, ask: 12 });
    expect([desk.prices.at(-1), desk.verdict('MSFT')]).toMatchObject([
      { price: 11, source: 'midpoint' },
      'fresh',
    ]);
    await desk.gateway.quote('MSFT', { bid: 10 });
    expect(desk.verdict('MSFT')).toBe('no_price');
    await desk.gateway.quote('MSFT', { bid: 10, ask: 12 });
    expect(desk.verdict('MSFT')).toBe('fresh');
  });

  it('a gap reports the lost prices, and the last one arrives', async () => {
    await using desk = await running();
    await desk.gateway.gap('AAPL', 101, 102, 103);
    expect(desk.prices).toMatchObject([{ price: 100 }, { price: 103 }]);
    expect(desk.gaps).toEqual([['loss', false]]);
  });
});

describe('verdicts', () => {
  it('a price that nothing confirms grows stale, and the feed is silent after 15 s', async () => {
    await using desk = await running();
    await desk.gateway.advance(1_900);
    expect(desk.verdict()).toBe('fresh');
    await desk.gateway.advance(200);
    expect(desk.verdict()).toBe('quiet_market');
    await desk.gateway.price('MSFT', 1);
    expect([desk.verdict(), desk.verdict('MSFT')]).toEqual(['fresh', 'fresh']);
    await desk.gateway.advance(15_500);
    expect(desk.verdict('AAPL', 60_000)).toBe('feed_down');
    expect(desk.feeds.at(-1)).toMatchObject({ state: 'silent' });
    await desk.gateway.price('MSFT', 2);
    expect([desk.verdict(), desk.verdict('MSFT')]).toEqual(['quiet_market', 'fresh']);
  });

  it('a halt and its end', async () => {
    await using desk = await running();
    await desk.gateway.halt('AAPL', 'LUDP');
    expect(desk.latest()).toMatchObject({ verdict: 'halted', reason: expect.stringContaining('LUDP') });
    await desk.gateway.quote('AAPL', { bid: 99 });
    expect(desk.verdict()).toBe('halted');
    await desk.gateway.resume('AAPL');
    expect(desk.verdict()).toBe('fresh');
  });

  it('a halt comes before a missing price', async () => {
    await using desk = await running();
    await desk.gateway.quote('MSFT', { bid: 10 });
    await desk.gateway.halt('MSFT');
    expect(desk.verdict('MSFT')).toBe('halted');
    await desk.gateway.resume('MSFT');
    expect(desk.verdict('MSFT')).toBe('no_price');
  });

  it('an instrument that the venue refuses, does not know, or that nobody has requested', async () => {
    await using desk = await running();
    await desk.gateway.refuse('AAPL', 'refused', 'No permission.');
    await desk.gateway.refuse('APPL', 'unknown');
    expect([desk.verdict(), desk.verdict('APPL'), desk.verdict('TSLA')]).toEqual([
      'feed_down',
      'unknown_instrument',
      'not_requested',
    ]);
    await desk.gateway.price('AAPL', 101);
    expect(desk.verdict()).toBe('fresh');
  });

  it.each(['connecting', 'silent', 'degraded', 'down'] as const)('a feed that is %s', async (state) => {
    await using desk = await running();
    await desk.gateway.feed(state, 'The broker says no.');
    expect(desk.latest()).toMatchObject({ verdict: 'feed_down', reason: expect.stringContaining('says no') });
    await desk.gateway.feed('live');
    expect(desk.verdict()).toBe('fresh');
    await desk.gateway.advance(1_900);
    await desk.gateway.price('MSFT', 1);
    await desk.gateway.advance(200);
    // Its value is from before the interruption.
    expect(desk.verdict()).toBe('quiet_market');
  });

  it('a link that is cut', async () => {
    await using desk = await running();
    desk.gateway.connection.disconnect();
    expect(desk.verdict()).toBe('link_down');
    desk.gateway.connection.reconnect();
    await desk.gateway.price('AAPL', 101);
    expect(desk.verdict()).toBe('fresh');
  });

  it('a gateway that has stopped', async () => {
    await using desk = await running();
    await desk.gateway.stop();
    await desk.gateway.stop();
    expect(desk.verdict()).toBe('gateway_down');
    expect(desk.feeds.slice(-2)).toMatchObject([{ state: 'stopping' }, { state: 'stopped' }]);
  });

  it('a gateway that crashes, and the takeover', async () => {
    await using desk = await running();
    await desk.gateway.crash();
    expect(desk.verdict()).toBe('fresh');
    await desk.gateway.advance(1_500);
    expect(desk.verdict()).toBe('gateway_down');
    const crashed = desk.latest().message?.epoch ?? 0;
    await desk.gateway.takeOver();
    await desk.gateway.price('AAPL', 101);
    expect([desk.verdict(), desk.prices.at(-1)]).toMatchObject(['fresh', { price: 101 }]);
    expect(desk.latest().message?.epoch).toBeGreaterThan(crashed);
    expect(desk.gaps).toEqual([['epoch', false]]);
  });

  it('an orderly takeover', async () => {
    await using desk = await running();
    const before = desk.gateway.clock.now();
    await desk.gateway.takeOver();
    expect(desk.gateway.clock.now() - before).toBeLessThan(100);
    expect(desk.verdict()).toBe('fresh');
    const [first, last] = [desk.feeds[0], desk.feeds.at(-1)] as { lease: number }[];
    expect(last?.lease).toBeGreaterThan(first?.lease ?? Number.POSITIVE_INFINITY);
  });
});

it('a price is refused while no gateway would publish it', async () => {
  await using desk = await running();
  await desk.gateway.feed('down');
  expect(String(await errorOf(desk.gateway.price('AAPL', 1)))).toContain("Call takeOver() or feed('live')");
  await desk.gateway.crash();
  expect(String(await errorOf(desk.gateway.quote('AAPL', {})))).toContain('The gateway has ended');
});

it('two venues on one server have their own verdicts', async () => {
  const channel = priceChannel('kraken');
  await using desk = await running();
  await using kraken = await running({ ...desk.gateway.overrides, channel, feed: 'kraken' });
  await desk.gateway.feed('down');
  expect([desk.verdict(), kraken.verdict()]).toEqual(['feed_down', 'fresh']);
});

it('a bot of the kit, its orders, and the desk that asks it', async () => {
  await using gateway = await ScriptedGateway.start();
  await using bot = defineBot({ name: 'momentum', logger: silentLogger, ...gateway.overrides }).onPrice(
    ({ symbol, fresh, send }) => {
      if (fresh().price > 100) send('place_order', { bot: 'trader', symbol, side: 'buy', quantity: 1 });
    },
  );
  await bot.start();
  await gateway.price('AAPL', 101);
  await gateway.halt('AAPL');
  await gateway.price('AAPL', 102);
  expect(gateway.sent('place_order')).toEqual([{ bot: 'trader', symbol: 'AAPL', side: 'buy', quantity: 1 }]);
  await gateway.desk.ask(bot.commands, { bot: 'momentum' }, { type: 'pause' });
  expect([bot.isPaused, gateway.sent('pause')]).toEqual([true, []]);
  const absent = gateway.desk.ask(bot.commands, { bot: 'nobody' }, { type: 'pause' });
  expect(await errorOf(absent)).toMatchObject({ code: 'TICKBUS_ABSENT' });
});

it('fake timers drive it with the system clock', async () => {
  vi.useFakeTimers();
  await using desk = await running({ clock: systemClock });
  expect(desk.verdict()).toBe('fresh');
  await vi.advanceTimersByTimeAsync(2_100);
  expect(desk.verdict()).toBe('quiet_market');
  await desk.gateway.crash();
  const taken = desk.gateway.takeOver();
  await vi.advanceTimersByTimeAsync(4_000);
  await taken;
  await desk.gateway.price('AAPL', 101);
  expect(desk.verdict()).toBe('fresh');
  expect(String(await errorOf(desk.gateway.advance(1)))).toContain('vi.advanceTimersByTimeAsync');
});
