// A bot in memory: prices, freshness, status and heartbeat, pause and resume.

import { RecordingLogger } from '@tickbus/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { PriceEvent } from '../../bot.ts';
import { defineChannel } from '../../channel/channel.ts';
import { priceChannel } from '../../channel/venue-channels.ts';
import { CHANNELS } from '../../constants.ts';
import { BotDesk } from './bot-desk.fixture.ts';

let desk: BotDesk;
beforeEach(async () => {
  desk = await BotDesk.open();
});
afterEach(() => desk.close());

describe('prices', () => {
  it('reach each handler, for the instruments of the bot', async () => {
    const seen: string[] = [];
    const bot = desk
      .define({ prices: ['AAPL', 'MSFT'] })
      .onPrice(({ symbol, price }) => seen.push(`${symbol} ${price}`))
      .onPrice(({ message }) => seen.push(`then ${message.data.price}`));
    await bot.start();
    await desk.publishPrice(1, 'TSLA');
    await desk.publishPrice(2, 'MSFT');
    await expect.poll(() => seen).toEqual(['MSFT 2', 'then 2']);
    expect(bot.subscriber.status(CHANNELS.PRICE_DATA)).toMatchObject({ delivered: 1 });
  });

  it('come one at a time, also to asynchronous handlers', async () => {
    const seen: string[] = [];
    let release: () => void = () => {};
    const bot = desk
      .define()
      .onPrice(async ({ price }) => {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        seen.push(`first ${price}`);
      })
      .onPrice(({ price }) => seen.push(`second ${price}`));
    await bot.start();
    await desk.publishPrice(1);
    await desk.publishPrice(2);
    await desk.publishPrice(3);
    await expect.poll(() => bot.subscriber.status(CHANNELS.PRICE_DATA)).toMatchObject({ received: 3 });
    release();
    await expect.poll(() => seen).toEqual(['first 1', 'second 1']);
    await expect.poll(() => bot.subscriber.status(CHANNELS.PRICE_DATA)).toMatchObject({ conflated: 1 });
    release();
    await expect.poll(() => seen.slice(2)).toEqual(['first 3', 'second 3']);
  });

  it('of a venue come from its channel', async () => {
    const seen: number[] = [];
    await desk
      .define({ venue: 'kraken' })
      .onPrice(({ price }) => seen.push(price))
      .start();
    await desk.publisher.publish(priceChannel('kraken'), { symbol: 'BTC/USD', price: 7, timestamp: 1 });
    await expect.poll(() => seen).toEqual([7]);
    await desk.status({ subscriptions: [expect.any(String), 'PRICE_DATA.kraken'] });
  });
});

describe('fresh', () => {
  it('returns the newest price while the feed is alive, and throws StaleDataError otherwise', async () => {
    const events: PriceEvent[] = [];
    const bot = desk.define({ maxAgeMs: 1_000 }).onPrice((event) => events.push(event));
    await desk.heartbeat();
    await bot.start();
    await desk.publishPrice(100);
    await expect.poll(() => events).toHaveLength(1);
    expect(events[0]?.fresh()).toMatchObject({ symbol: 'AAPL', price: 100 });
    await desk.publishPrice(101);
    await expect.poll(() => events).toHaveLength(2);
    expect(events[0]?.fresh().price).toBe(101);
    desk.clock.skip(1_500);
    expect(() => events[1]?.fresh()).toThrow(expect.objectContaining({ code: 'TICKBUS_STALE_DATA' }));
  });

  it('ends a handler that does not catch it, without an error of the bot', async () => {
    let [called, acted] = [0, 0];
    const logger = new RecordingLogger();
    const bot = desk
      .define({ logger })
      .onPrice(({ fresh }) => {
        called++;
        acted += fresh().price;
      })
      .onPrice(async ({ fresh }) => {
        await Promise.resolve();
        acted += fresh().price;
      });
    await bot.start();
    await desk.publishPrice(100);
    await expect.poll(() => called).toBe(1);
    expect([acted, bot.state]).toEqual([0, 'running']);
    expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('prices that are not fresh', () => {
  it('count once each, and the log says when that begins and ends', async () => {
    const logger = new RecordingLogger();
    let called = 0;
    const bot = desk
      .define({ logger })
      .onPrice(({ fresh }) => {
        called++;
        try {
          fresh();
        } catch {
          fresh(60_000);
        }
      })
      .onPrice(({ fresh }) => fresh());
    const lines = () =>
      logger.lines.flatMap(({ level, message, fields }) =>
        /^A price is/.test(message) ? [[level, message, fields]] : [],
      );
    await bot.start();
    // No gateway, as with the test publisher.
    const publish = async (price: number, symbol?: string) => {
      const before = called;
      await desk.publishPrice(price, symbol);
      await expect.poll(() => called).toBe(before + 1);
    };
    for (const price of [100, 101, 102]) await publish(price);
    await publish(7, 'MSFT');
    const text = 'A price is not fresh: fresh() throws.';
    expect(lines()).toMatchObject([
      ['warn', text, { bot: 'momentum', symbol: 'AAPL', verdict: 'gateway_down' }],
      ['warn', text, { bot: 'momentum', symbol: 'MSFT', verdict: 'gateway_down' }],
    ]);
    expect(bot.stats.stale).toBe(4);
    await desk.heartbeat();
    desk.clock.skip(10);
    await publish(103);
    await publish(104);
    expect(lines().slice(2)).toMatchObject([
      ['info', 'A price is fresh again.', { symbol: 'AAPL', afterMs: 10 }],
    ]);
    expect(bot.stats.stale).toBe(4);
  });
});

describe('status', () => {
  it('has the start, the subscriptions, the interval and the account', async () => {
    const FILLS = defineChannel('FILLS', { kind: 'event', messages: { fill: z.object({ n: z.number() }) } });
    const bot = desk
      .define({
        prices: ['AAPL'],
        statusIntervalMs: 500,
        account: () => ({ position: { AAPL: 3 }, pnl: -1 }),
      })
      .onPrice(() => {})
      .onMessage(FILLS, () => {})
      .onCommand('set_size', z.object({ size: z.number() }), () => ({ outcome: 'done' }));
    await bot.start();
    await desk.status({
      bot: 'momentum',
      state: 'running',
      started_at: desk.clock.now(),
      subscriptions: ['TRADE_COMMANDS: pause, resume, set_size', 'PRICE_DATA: AAPL', 'FILLS'],
      behind: 0,
      status_interval_ms: 500,
      position: { AAPL: 3 },
      pnl: -1,
    });
  });

  it('is repeated after each interval, and counted anew from each report', async () => {
    const bot = desk.define({ statusIntervalMs: 1_000 });
    await bot.start();
    await expect.poll(() => desk.statuses).toHaveLength(1);
    await desk.clock.advance(900);
    bot.reportStatus();
    await expect.poll(() => desk.statuses).toHaveLength(2);
    await desk.clock.advance(999);
    expect(desk.statuses).toHaveLength(2);
    await desk.clock.advance(1);
    await expect.poll(() => desk.statuses).toHaveLength(3);
  });

  it('goes on without the account if that fails', async () => {
    const logger = new RecordingLogger();
    const account = () => {
      throw new Error('no account');
    };
    await desk.define({ account, logger }).start();
    await desk.status({ state: 'running' });
    const errors = logger.lines.filter(({ level }) => level === 'error');
    expect(errors).toMatchObject([{ message: expect.stringContaining('`account` failed') }]);
  });
});

describe('an error of a handler', () => {
  it('is the state until the next pause or resume, and does not end the bot', async () => {
    const seen: number[] = [];
    const bot = desk.define({ statusIntervalMs: 1_000 }).onPrice(({ price }) => {
      seen.push(price);
      if (price < 0) throw new Error(`Negative: ${price}. ${'x'.repeat(1_000)}😀`);
    });
    await bot.start();
    await desk.publishPrice(-1);
    await desk.status({ state: 'error', detail: expect.stringMatching(/^Negative: -1\. x+$/) });
    const reported = desk.statuses.length;
    await desk.publishPrice(-2);
    await desk.publishPrice(3);
    await expect.poll(() => seen).toEqual([-1, -2, 3]);
    expect(desk.statuses).toHaveLength(reported);
    await desk.clock.advance(1_000);
    await desk.status({ state: 'error', detail: expect.stringContaining('Negative: -2.') });
    await desk.command('resume');
    await desk.status({ state: 'running' });
  });

  it('of another subscription counts too, also with an empty text', async () => {
    const bot = desk.define().onMessage(CHANNELS.AUDIT, () => Promise.reject(new Error('')));
    await bot.start();
    await desk.publisher.publish(CHANNELS.AUDIT, {
      actor: 'a',
      tool: 't',
      action: 'publish',
      outcome: 'sent',
    });
    await desk.status({ state: 'error', detail: 'A handler failed.' });
  });
});

describe('pause', () => {
  it('holds back orders, keeps prices coming, and ends with resume', async () => {
    const paused: boolean[] = [];
    const bot = desk.define().onPrice(({ isPaused, send }) => {
      paused.push(isPaused);
      send('place_order', { bot: 'trader', symbol: 'AAPL', side: 'buy', quantity: 1 });
      send('cancel_all', { bot: 'trader' });
    });
    await bot.start();
    expect(await desk.command('pause')).toMatchObject({ outcome: 'done', detail: 'momentum is paused.' });
    await desk.status({ state: 'paused' });
    await desk.publishPrice(1);
    await expect.poll(() => paused).toEqual([true]);
    await desk.command('resume');
    await desk.publishPrice(2);
    await expect.poll(() => paused).toEqual([true, false]);
    await expect
      .poll(() => bot.stats)
      .toMatchObject({ commandsSent: 3, ordersHeldBack: 1, commandsFailed: 0 });
    expect(desk.orders).toHaveLength(1);
  });

  it('that arrives during the start counts', async () => {
    const bot = desk.define();
    bot.subscriber.on('status', (status) => {
      if (status.type === 'live' && status.channel === 'TRADE_COMMANDS')
        void desk.publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'momentum', reason: 'early' }, PAUSE);
    });
    await bot.start();
    await desk.status({ state: 'paused', detail: 'early' });
  });
});

const PAUSE = { type: 'pause' } as const;

describe('a failed send', () => {
  it('is counted, and never rejects', async () => {
    const connection = desk.connect();
    const bot = desk.define({ connection });
    await bot.start();
    connection.publishing.disconnect();
    expect(await bot.send('pause', { bot: 'another' })).toBe(false);
    connection.publishing.reconnect();
    expect(await bot.send('pause', { bot: 'another' })).toBe(true);
    expect(bot.stats).toMatchObject({ commandsSent: 1, commandsFailed: 1 });
  });
});

it('onMessage begins with the last messages of an own channel', async () => {
  const FILLS = defineChannel('FILLS', {
    kind: 'event',
    history: 100,
    messages: { fill: z.object({ n: z.number() }) },
  });
  for (let n = 1; n <= 30; n++) await desk.publisher.publish(FILLS, { n });
  const seen: number[] = [];
  const bot = desk.define().onMessage(FILLS, ({ data }) => seen.push(data.n), { from: { last: 20 } });
  await bot.start();
  await desk.publisher.publish(FILLS, { n: 31 });
  await expect.poll(() => seen).toEqual(Array.from({ length: 21 }, (_, index) => index + 11));
});
