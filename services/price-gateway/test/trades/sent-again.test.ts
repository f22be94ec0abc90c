// A venue drops the connection and sends its last trades again: on TRADES and PRICE_DATA nothing is twice and nothing
// goes back.

import type { TradeEvent } from '@tickbus/capture';
import { afterEach, expect, it } from 'vitest';
import { useEmbeddedGateways } from '../embedded-gateway.fixture.ts';
import { SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { TradeBot } from './trade-bot.fixture.ts';
import { TRADE_VENUES } from './trade-venues.fixture.ts';

const testbed = useEmbeddedGateways();
let bot: TradeBot | undefined;
afterEach(() => bot?.[Symbol.asyncDispose]());

/** Each test trades later than those before it, because the server keeps their trades. Unix milliseconds. */
let start = Date.now() - 86_400_000;
/** The last identifier that was used, which venues do not use again within a day. */
let lastId = 0;

/** Trades with the prices 1, 2, ...: two in each millisecond. */
function newTrades(symbol: string, first: number, count: number, hasIds: boolean): TradeEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'trade',
    symbol,
    price: first + index,
    size: 1,
    timestamp: start + Math.floor((first + index) / 2),
    ...(hasIds && { trade_id: String(lastId + first + index) }),
  }));
}

const CASES = (['websocket', 'alpaca', 'ccxt'] as const).flatMap((venue) =>
  [5, 50, 500].flatMap((last) => [true, false].map((hasIds) => ({ venue, last, hasIds }))),
);

it.for(CASES)(
  '$venue sends its last $last trades again, with identifiers: $hasIds',
  async ({ venue: name, last, hasIds }, { skip }) => {
    skip(name === 'ccxt' && SKIP_REASON !== undefined, SKIP_REASON);
    start += 3_600_000;
    lastId += 10_000;
    const venue = await TRADE_VENUES[name]();
    const [symbol = ''] = venue.symbols;
    bot = await TradeBot.start(testbed.redis.url, [symbol]);
    const gateway = await testbed.startGateway({ createFeed: () => venue.createFeed(), symbols: [] });
    await expect.poll(() => [gateway.stats.wanted, venue.serves(1)]).toEqual([1, true]);
    const before = newTrades(symbol, 1, last + 20, hasIds);
    venue.send(before);
    await expect.poll(() => bot?.prices).toEqual(before.map(({ price }) => price));

    const from = testbed.statuses.all.length;
    venue.drop();
    const down = await testbed.nextStatus('down', from);
    await testbed.nextStatus('live', testbed.statuses.all.indexOf(down));
    await expect.poll(() => venue.serves(1)).toBe(true);
    // In another order, and among them one that happened during the interruption and one that is late.
    const [missed, after] = newTrades(symbol, last + 21, 2, hasIds) as [TradeEvent, TradeEvent];
    const late = {
      ...missed,
      price: last + 23,
      timestamp: start + 2,
      ...(hasIds && { trade_id: String(lastId + 9_999) }),
    };
    venue.send([late, ...before.slice(-last).reverse(), missed]);
    venue.send([after]);
    await expect.poll(() => bot?.prices.at(-1)).toBe(after.price);

    const published = [...before, late, missed, after].map(({ price }) => price);
    expect(bot.prices).toEqual(published);
    expect(
      bot
        .of('trade')
        .filter((trade) => trade.late)
        .map(({ price }) => price),
    ).toEqual([late.price]);
    // PRICE_DATA takes no late trade, and never goes back.
    const onPrices = () => testbed.prices.all.filter(({ data }) => data.cause === 'trade');
    await expect.poll(() => onPrices().at(-1)?.data.price).toBe(after.price);
    const inOrder = published.filter((price) => price !== late.price);
    const prices = onPrices().map(({ data }) => data.price);
    // A gateway of a busy machine leaves prices out that newer ones have replaced.
    expect(prices).toEqual(inOrder.filter((price) => prices.includes(price)));
    expect(gateway.stats.dropped.late).toBe(last + 1);
    const withIds = bot.of('trade').filter(({ trade_id }) => trade_id !== undefined);
    expect(withIds).toHaveLength(hasIds ? published.length : 0);
    // The gateway counts a trade when Redis has replied, which the bot can precede.
    await expect
      .poll(() => gateway.stats.trades)
      .toMatchObject({
        published: published.length - 1,
        late: 1,
        repeated: last,
        forgotten: 0,
        lost: 0,
      });
    expect(bot.of('trade_gap')).toMatchObject([
      { symbol, reason: 'start' },
      { symbol, reason: 'interrupted', from: expect.any(Number) },
    ]);
  },
);
