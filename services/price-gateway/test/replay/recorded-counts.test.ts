// What a gateway publishes from a recorded session is what an independent script counts in the raw frames.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { createCaptureFeed } from '../../feeds/capture-feed.ts';
import { useEmbeddedGateways } from '../embedded-gateway.fixture.ts';
import { TradeBot } from '../trades/trade-bot.fixture.ts';
import { BINANCE_CAPTURE, COINBASE_CAPTURE, SKIP_REASON } from './recorded-sessions.fixture.ts';

const SCRIPT = fileURLToPath(new URL('./count-recording.fixture.mjs', import.meta.url));
if (SKIP_REASON !== undefined) console.warn(`Skipped: ${SKIP_REASON}`);

type Trade = readonly [symbol: string, id: string, price: number, size: number, time: number];
type Quote = readonly [symbol: string, bid: number, ask: number, time: number];

interface Counted {
  readonly note: string;
  /** The types of frames that the script does not know. */
  readonly unknown: readonly string[];
  readonly trades: readonly Trade[];
  readonly quotes: readonly Quote[];
  readonly lateTrades: readonly Trade[];
  readonly lateQuotes: readonly Quote[];
}

const testbed = useEmbeddedGateways();
let bot: TradeBot | undefined;
afterEach(async () => {
  await bot?.[Symbol.asyncDispose]();
});

describe.skipIf(SKIP_REASON !== undefined).each([
  ['coinbase', COINBASE_CAPTURE],
  ['binance', BINANCE_CAPTURE],
])('%s', (name, path) => {
  it('publishes every trade and quote once, and prices never go back in time', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, path]);
    const counted = JSON.parse(stdout) as Counted;
    console.log(`${name}: ${counted.note}`);
    expect(counted.unknown).toEqual([]);
    expect(counted.trades.length).toBeGreaterThan(50);
    bot = await TradeBot.start(testbed.redis.url, []);
    const gateway = await testbed.startGateway({
      createFeed: () => createCaptureFeed({ path, speed: Number.POSITIVE_INFINITY }),
      symbols: ['*'],
      trades: 'all',
    });
    const ended = await testbed.nextStatus('down');
    expect(ended.detail).toContain('The recorded session has ended.');
    const { lateTrades, lateQuotes } = counted;
    const trades = counted.trades.length;
    const quotes = counted.quotes.length;
    await expect.poll(() => bot?.of('trade').length).toBe(trades);
    const published = trades + quotes - lateTrades.length - lateQuotes.length;
    await expect.poll(() => testbed.prices.all.length + gateway.stats.dropped.unchanged).toBe(published);

    const received = bot.of('trade');
    expect(
      received.map(({ symbol, trade_id, price, size, timestamp }) => [
        symbol,
        trade_id,
        price,
        size,
        timestamp,
      ]),
    ).toEqual(counted.trades);
    // None is invented. That those of a venue are published is shown by gateway-trade-changes.test.ts and
    // gateway-trades.test.ts.
    expect([...bot.of('trade_correction'), ...bot.of('trade_cancel')]).toEqual([]);
    expect(received.filter(({ late }) => late).length).toBe(lateTrades.length);
    expect(bot.gaps.all.filter((cause) => cause !== 'epoch')).toEqual([]);
    expect(gateway.stats.dropped).toMatchObject({
      invalid: 0,
      late: lateTrades.length + lateQuotes.length,
      unpriced: 0,
      unmatched: 0,
    });
    const times = new Map<string, { trade: number; quote: number }>();
    const quoted: Quote[] = [];
    for (const { data } of testbed.prices.all) {
      const last = times.get(data.symbol) ?? { trade: 0, quote: 0 };
      const { trade_time: trade = last.trade, quote_time: quote = last.quote } = data;
      expect(trade).toBeGreaterThanOrEqual(last.trade);
      expect(quote).toBeGreaterThanOrEqual(last.quote);
      times.set(data.symbol, { trade, quote });
      if (data.cause === 'quote') quoted.push([data.symbol, data.bid ?? 0, data.ask ?? 0, data.timestamp]);
    }
    const late = new Set(lateQuotes.map(String));
    expect(quoted).toEqual(counted.quotes.filter((one) => !late.has(String(one))));
  });
});
