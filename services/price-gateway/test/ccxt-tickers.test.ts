// Tickers of ccxt that have no bid and no ask, from ccxt's own binanceusdm on a local server: they say nothing about
// the book. Once a ticker had sides, one without them withdraws these.

import type { Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it, onTestFinished } from 'vitest';
import { createCcxtFeed } from '../feeds/ccxt-feed.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { SILENT } from './gateway.fixture.ts';
import { binanceProtocol } from './replay/binance-protocol.fixture.ts';
import { SKIP_REASON } from './replay/recorded-sessions.fixture.ts';
import { ReplayServer } from './replay/replay-server.fixture.ts';

const testbed = useEmbeddedGateways();
const BOUNDS = { maxAgeMs: 30_000, maxQuietMs: 3_600_000 };
const SYMBOL = 'SUSHI/USDT:USDT';

let now = Date.now() - 3_600_000;

/** @param stream miniTicker, which has no sides, or ticker */
async function start(stream: 'miniTicker' | 'ticker') {
  now += 60_000;
  const server = await ReplayServer.start(await binanceProtocol());
  onTestFinished(() => server.close());
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: [SYMBOL] });
  await bot.startListening();
  const config = { options: { watchTickers: { name: stream } } };
  const url = `http://127.0.0.1:${server.port}`;
  await testbed.startGateway({
    createFeed: () => createCcxtFeed({ exchange: 'binanceusdm', method: 'watchTickers', config, url }),
    symbols: [],
  });
  await expect.poll(() => server.subscribed).toEqual([`sushiusdt@${stream}`]);
  return {
    bot,
    /** Source: developers.binance.com, "Individual Symbol (Mini) Ticker Streams": `c` is the last price. */
    tick(c: string, sides: { readonly b?: string; readonly a?: string } = {}) {
      const e = stream === 'ticker' ? '24hrTicker' : '24hrMiniTicker';
      const day = { o: '7.9', h: '8.4', l: '7.2', v: '2109995', q: '2019254' };
      const data = { e, E: now++, s: 'SUSHIUSDT', c, ...day, ...sides };
      server.send({ dir: 'in', frame: { stream: `sushiusdt@${stream}`, data } });
    },
    latest() {
      const { verdict, message } = bot.latest(CHANNELS.PRICE_DATA, SYMBOL, BOUNDS);
      const { price, bid, ask } = (message?.data ?? {}) as Partial<Price>;
      return { verdict, price, bid, ask };
    },
  };
}

it('a venue whose tickers never have sides has a price, and a fresh one', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  const { bot, tick, latest } = await start('miniTicker');
  for (const price of [8, 7.5, 8.25]) {
    tick(String(price));
    await expect.poll(latest).toEqual({ verdict: 'fresh', price, bid: undefined, ask: undefined });
  }
  const { data } = bot.requireFresh(CHANNELS.PRICE_DATA, SYMBOL, BOUNDS);
  expect(data).toMatchObject({ cause: 'trade', source: 'trade', venue: 'binanceusdm', timestamp: now - 1 });
  expect(testbed.prices.all.map(({ data: { price } }) => price)).toEqual([8, 7.5, 8.25]);
});

it('a ticker without sides withdraws those of the ticker before', async ({ skip }) => {
  skip(SKIP_REASON !== undefined, SKIP_REASON);
  const { tick, latest } = await start('ticker');
  tick('8', { b: '7.9', a: '8.1' });
  await expect.poll(latest).toEqual({ verdict: 'fresh', price: 8, bid: 7.9, ask: 8.1 });
  tick('8', { b: '7.9', a: '0' });
  await expect.poll(latest).toEqual({ verdict: 'fresh', price: 8, bid: 7.9, ask: undefined });
  tick('8');
  await expect.poll(latest).toEqual({ verdict: 'fresh', price: 8, bid: undefined, ask: undefined });
});
