// Venues on which a test trades: in the protocols of the three kinds of live feeds.

import type { TradeEvent } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { onTestFinished } from 'vitest';
import { codecFor } from '../../../simulated-broker/codec.ts';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { createCcxtFeed } from '../../feeds/ccxt-feed.ts';
import type { Feed } from '../../feeds/feed.ts';
import { createWebSocketFeed } from '../../feeds/websocket-feed.ts';
import type { FrameItem } from '../../mapping.ts';
import { startVenueServer } from '../feeds/venue-server.fixture.ts';
import { CREDENTIALS, ManualMarket } from '../gateway.fixture.ts';
import { binanceProtocol } from '../replay/binance-protocol.fixture.ts';
import { ReplayServer } from '../replay/replay-server.fixture.ts';

export interface TradeVenue {
  /** Six instruments. */
  readonly symbols: readonly string[];
  /** Whether one client is connected and has subscribed to `count` instruments, if the venue has subscriptions. */
  serves(count: number): boolean;
  createFeed(): Promise<Feed>;
  /** Sends trades as one frame, or as several if the venue has one trade a frame. */
  send(trades: readonly TradeEvent[]): void;
  /** Drops the connection without a close frame. */
  drop(): void;
}

/** By name. Each venue ends after the test. */
export const TRADE_VENUES: Readonly<Record<'websocket' | 'alpaca' | 'ccxt', () => Promise<TradeVenue>>> = {
  async websocket() {
    const server = await startVenueServer();
    const mapping = { read: (frame: unknown) => frame as FrameItem[] };
    const newest = () => server.sockets.all.at(-1);
    return {
      symbols: TICKERS,
      serves: () => newest()?.readyState === 1,
      createFeed: async () => createWebSocketFeed({ url: server.url, mapping, pingMs: 0 }),
      send: (trades) => newest()?.send(JSON.stringify(trades)),
      drop: () => newest()?.terminate(),
    };
  },

  async alpaca() {
    const broker = await startSimulatedBroker({ source: new ManualMarket() });
    onTestFinished(() => broker.close());
    return {
      symbols: TICKERS,
      serves: () => broker.stats.connections === 1,
      createFeed: async () => createAlpacaFeed({ url: broker.url, ...CREDENTIALS }),
      send: (trades) => broker.faults.sendFrame(MSGPACK.encode(trades.map(toAlpaca))),
      drop: () => broker.faults.drop(),
    };
  },

  async ccxt() {
    const server = await ReplayServer.start(await binanceProtocol());
    onTestFinished(() => server.close());
    return {
      symbols: COINS.map((coin) => `${coin}/USDT:USDT`),
      serves: (count) => server.connections === 1 && server.subscribed.length === count,
      createFeed: () =>
        createCcxtFeed({
          exchange: 'binanceusdm',
          method: 'watchTrades',
          url: `http://127.0.0.1:${server.port}`,
        }),
      send(trades) {
        for (const trade of trades) server.send({ dir: 'in', frame: toBinance(trade) });
      },
      drop: () => server.drop(),
    };
  },
};

const TICKERS = ['AAPL', 'AMZN', 'META', 'MSFT', 'NVDA', 'TSLA'];
const COINS = ['SUSHI', 'AKRO', 'BTC', 'CTK', 'ETH', 'KEEP'];

const MSGPACK = codecFor('application/msgpack');

function toAlpaca({ symbol, price, size, timestamp, trade_id }: TradeEvent) {
  const id = trade_id === undefined ? {} : { i: Number(trade_id) };
  const t = new Date(timestamp);
  return { T: 't', ...id, S: symbol, x: 'V', p: price, s: size, t, c: ['@'], z: 'C' };
}

/** Source: developers.binance.com, USD-M futures, "Aggregate Trade Streams". */
function toBinance({ symbol, price, size, timestamp, trade_id }: TradeEvent): object {
  const s = symbol.replace('/USDT:USDT', 'USDT');
  const id = trade_id === undefined ? {} : { a: Number(trade_id), t: Number(trade_id) };
  const common = { E: timestamp, s, p: String(price), q: String(size), T: timestamp, m: true };
  return { stream: `${s.toLowerCase()}@trade`, data: { e: 'trade', ...id, ...common, X: 'MARKET' } };
}
