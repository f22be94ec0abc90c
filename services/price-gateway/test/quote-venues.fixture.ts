// Venues on which a test quotes one instrument: in the protocols of the three kinds of live feeds.

import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { onTestFinished } from 'vitest';
import { codecFor } from '../../simulated-broker/codec.ts';
import { createAlpacaFeed } from '../feeds/alpaca-feed.ts';
import { createCcxtFeed } from '../feeds/ccxt-feed.ts';
import type { Feed } from '../feeds/feed.ts';
import { createWebSocketFeed } from '../feeds/websocket-feed.ts';
import type { FrameItem } from '../mapping.ts';
import { startVenueServer } from './feeds/venue-server.fixture.ts';
import { CREDENTIALS, ManualMarket } from './gateway.fixture.ts';
import { binanceProtocol } from './replay/binance-protocol.fixture.ts';
import { ReplayServer } from './replay/replay-server.fixture.ts';

export interface SideOfBook {
  readonly price: number | null;
  readonly size: number | null;
}

export interface QuoteVenue {
  readonly symbol: string;
  /** Whether a client is connected and has subscribed. */
  readonly isSubscribed: boolean;
  createFeed(): Promise<Feed>;
  /** @param time Unix milliseconds */
  quote(bid: SideOfBook, ask: SideOfBook, time: number): void;
  /** Undefined if the feed delivers quotes only. */
  readonly trade?: (price: number, time: number) => void;
}

/** By name. Each venue ends after the test. */
export const QUOTE_VENUES: Readonly<Record<'websocket' | 'alpaca' | 'ccxt', () => Promise<QuoteVenue>>> = {
  async websocket() {
    const server = await startVenueServer();
    const mapping = { read: (frame: unknown) => frame as FrameItem };
    const newest = () => server.sockets.all.at(-1);
    const send = (item: object) => newest()?.send(JSON.stringify(item));
    return {
      symbol: 'WEB',
      get isSubscribed() {
        return newest()?.readyState === 1;
      },
      createFeed: async () => createWebSocketFeed({ url: server.url, mapping, pingMs: 0 }),
      quote: ({ price: bid, size: bid_size }, { price: ask, size: ask_size }, timestamp) =>
        send({ kind: 'quote', symbol: 'WEB', bid, bid_size, ask, ask_size, timestamp }),
      trade: (price, timestamp) => send({ kind: 'trade', symbol: 'WEB', price, size: 1, timestamp }),
    };
  },

  async alpaca() {
    const broker = await startSimulatedBroker({ source: new ManualMarket() });
    onTestFinished(() => broker.close());
    const send = (message: { readonly T: string; readonly S: string; readonly [field: string]: unknown }) =>
      broker.faults.sendFrame(MSGPACK.encode([message]));
    return {
      symbol: 'AAPL',
      get isSubscribed() {
        return broker.stats.connections === 1;
      },
      createFeed: async () => createAlpacaFeed({ url: broker.url, ...CREDENTIALS }),
      quote: (bid, ask, time) =>
        send({
          T: 'q',
          S: 'AAPL',
          bx: 'V',
          bp: bid.price,
          bs: bid.size,
          ax: 'V',
          ap: ask.price,
          as: ask.size,
          t: new Date(time),
          c: ['R'],
          z: 'C',
        }),
      trade: (p, time) =>
        send({ T: 't', S: 'AAPL', i: time, x: 'V', p, s: 1, t: new Date(time), c: ['@'], z: 'C' }),
    };
  },

  async ccxt() {
    const server = await ReplayServer.start(await binanceProtocol());
    onTestFinished(() => server.close());
    return {
      symbol: 'SUSHI/USDT:USDT',
      get isSubscribed() {
        return server.connections === 1 && server.subscribed.length === 1;
      },
      createFeed: () =>
        createCcxtFeed({
          exchange: 'binanceusdm',
          method: 'watchBidsAsks',
          url: `http://127.0.0.1:${server.port}`,
        }),
      /** Source: developers.binance.com, USD-M futures, "Individual Symbol Book Ticker Streams". */
      quote(bid, ask, time) {
        const [b, B, a, A] = [bid.price, bid.size, ask.price, ask.size].map(String);
        const data = { e: 'bookTicker', u: time, s: 'SUSHIUSDT', b, B, a, A, T: time, E: time };
        server.send({ dir: 'in', frame: { stream: 'sushiusdt@bookTicker', data } });
      },
    };
  },
};

const MSGPACK = codecFor('application/msgpack');
