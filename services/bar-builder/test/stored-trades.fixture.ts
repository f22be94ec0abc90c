// A desk with trades on a real server, and bar builders that start alone: what they take from the stored messages.

import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import {
  type Bar,
  type Channel,
  type Connection,
  type DeepReadonly,
  type From,
  type MessageOf,
  type Position,
  RedisConnection,
  RedisLease,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect } from 'vitest';
import { startBarService, type TestBarService } from './bar-service.fixture.ts';
import { PublishedBars } from './published-bars.fixture.ts';

const { TRADES, BARS } = CHANNELS;
/** 2026-01-02 15:30 UTC. */
const START = Date.UTC(2026, 0, 2, 15, 30);
export const SYMBOLS = ['AAPL', 'MSFT', 'NVDA'];
export const WAIT = { timeout: 60_000 };

export class TradeDesk implements AsyncDisposable {
  readonly closing: (() => unknown)[] = [];
  readonly #url: string;
  readonly #partitions: number;
  readonly #connection: RedisConnection;

  /** @param partitions of TRADES and BARS */
  constructor(url: string, partitions: number) {
    this.#url = url;
    this.#partitions = partitions;
    this.#connection = new RedisConnection({ url, logger });
  }

  /** Gives BARS its partitions, of which a builder then makes use. */
  async prepareBars(): Promise<void> {
    await (await this.#publisherOf(BARS)).close();
  }

  /** @returns a function that publishes a trade of each instrument, `after` milliseconds after `START` */
  async tradePublisher() {
    const { publisher, close } = await this.#publisherOf(TRADES);
    this.closing.push(close);
    return async (after: number) => {
      for (const symbol of SYMBOLS)
        await publisher.publish(TRADES, { symbol, price: 100 + after, size: 2, timestamp: START + after });
    };
  }

  async startService(options: { connection?: Connection } = {}): Promise<TestBarService> {
    const service = await startBarService(this.#url, { lengths: ['1s'], ...options });
    this.closing.push(() => service[Symbol.asyncDispose]());
    await service.isActive();
    return service;
  }

  async observedBars(): Promise<PublishedBars> {
    const subscriber = this.#newSubscriber();
    const bars = new PublishedBars();
    subscriber.tap(BARS, ({ message }) => bars.add(message.data));
    await subscriber.startListening();
    return bars;
  }

  /** A bot with the bars of all instruments. */
  async startBot(from: From) {
    const subscriber = this.#newSubscriber();
    const messages: MessageOf<typeof BARS>[] = [];
    const gaps: unknown[] = [];
    subscriber.on('gap', (gap) => gaps.push(gap));
    const keys = SYMBOLS.map((symbol) => `${symbol}/1s`);
    subscriber.subscribe(BARS, (message) => messages.push(message), { keys, from });
    await subscriber.startListening();
    const of = (symbol: string) => messages.filter(({ data }) => data.symbol === symbol);
    return {
      subscriber,
      gaps,
      /** The seconds of the bars of each instrument, in order of delivery. */
      starts: () => SYMBOLS.map((symbol) => of(symbol).map(({ data }) => (data.start - START) / 1_000)),
      positions: () =>
        Object.fromEntries(
          SYMBOLS.map((symbol) => {
            const { epoch = 0, seq = 0 } = of(symbol).at(-1) ?? {};
            return [`${symbol}/1s`, { epoch, seq }] as [string, Position];
          }),
        ),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.closing.splice(0).reverse()) await close();
    await this.#connection.close();
  }

  #newSubscriber(): RedisSubscriber {
    const subscriber = new RedisSubscriber({ url: this.#url, logger });
    this.closing.push(() => subscriber.close());
    return subscriber;
  }

  /** A publisher with the lease of a channel, of which it sets the number of partitions. */
  async #publisherOf(channel: Channel) {
    const connection = this.#connection;
    const partitions = this.#partitions;
    await useLeasesOnce(connection, channel, partitions);
    const lease = new RedisLease({ connection, channel, partitions, ttlMs: 60_000, logger });
    const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
    await lease.start();
    await gained;
    const publisher = new RedisPublisher({ connection, lease, deadlineMs: 60_000 });
    const close = async () => {
      await publisher.close();
      await lease.close();
    };
    return { publisher, close };
  }
}

/** The last revision of the bars of a second; the clock of the builder advances, but not that of the venue. */
export function barsOf(second: number, bars: PublishedBars, service: TestBarService) {
  return expect.poll(async () => {
    service.clock.setNow(Date.now());
    await service.clock.advance(25);
    return SYMBOLS.map((symbol) => shown(bars.last.get(`${symbol}/1s/${START + second * 1_000}`)));
  }, WAIT);
}

const shown = (bar: DeepReadonly<Bar> | undefined) =>
  bar && { revision: bar.revision, complete: bar.complete, trades: bar.trades };

/** The same bar of each instrument. */
export const all = (bar: ReturnType<typeof shown>) => SYMBOLS.map(() => bar);
