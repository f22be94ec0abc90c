// A gateway loses its server without a word, as a killed one does, and the standby takes over: the venue sends its last
// trades again, and on TRADES and PRICE_DATA nothing is twice, nothing is missing and nothing goes back.

import type { TradeEvent } from '@tickbus/capture';
import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { Random } from '@tickbus/test-kit/random';
import { RedisConnection } from 'tickbus/connection';
import { expect, it } from 'vitest';
import type { Gateway } from '../../gateway.ts';
import { useEmbeddedGateways } from '../embedded-gateway.fixture.ts';
import { SILENT } from '../gateway.fixture.ts';
import { SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { TradeBot } from './trade-bot.fixture.ts';
import { TRADE_VENUES } from './trade-venues.fixture.ts';

const testbed = useEmbeddedGateways();
const patient = { timeout: 60_000 };

/** Each test trades later than those before it, because the server keeps their trades. Unix milliseconds. */
let start = Date.now() - 86_400_000;
let lastId = 0;

/** How many of the last trades of an instrument the venue sends again, and whether its trades have identifiers. */
const CASES = [5, 50, 500].flatMap((last) => [true, false].map((hasIds) => ({ last, hasIds })));
/** Trades that only the first gateway receives, and cannot publish any more. */
const UNPUBLISHED = 3;

/** What the venue sends of one instrument. The prices are 1, 2, ... and unique; two trades in each millisecond. */
class Instrument {
  readonly published: readonly TradeEvent[];
  readonly unpublished: readonly TradeEvent[];
  readonly missed: TradeEvent;
  readonly late: TradeEvent;
  readonly last: TradeEvent;
  readonly #symbol: string;
  readonly #hasIds: boolean;
  readonly #repeated: number;

  constructor(symbol: string, { last, hasIds }: (typeof CASES)[number]) {
    this.#symbol = symbol;
    this.#hasIds = hasIds;
    this.#repeated = last - UNPUBLISHED;
    this.published = this.#trades(1, last + 20);
    this.unpublished = this.#trades(last + 21, UNPUBLISHED);
    [this.missed, this.last] = this.#trades(last + 24, 2) as [TradeEvent, TradeEvent];
    this.late = { ...this.#trades(last + 26, 1)[0], timestamp: start + 2 } as TradeEvent;
  }

  get symbol(): string {
    return this.#symbol;
  }

  get sentAgain(): readonly TradeEvent[] {
    return [...this.published.slice(-this.#repeated), ...this.unpublished];
  }

  /** The prices, each once. */
  get inOrder(): readonly number[] {
    const { published, late, unpublished, missed, last } = this;
    return [...published, late, ...unpublished, missed, last].map(({ price }) => price);
  }

  #trades(first: number, count: number): TradeEvent[] {
    return Array.from({ length: count }, (_, index) => ({
      kind: 'trade',
      symbol: this.#symbol,
      price: first + index,
      size: 1,
      timestamp: start + Math.floor((first + index) / 2),
      ...(this.#hasIds && { trade_id: String(lastId + first + index) }),
    }));
  }
}

it.for(['websocket', 'alpaca', 'ccxt'] as const)(
  '%s sends the last 5, 50 and 500 trades again after a takeover',
  async (name, { skip }) => {
    skip(name === 'ccxt' && SKIP_REASON !== undefined, SKIP_REASON);
    start += 3_600_000;
    lastId += 10_000;
    const venue = await TRADE_VENUES[name]();
    const instruments = venue.symbols.map(
      (symbol, index) => new Instrument(symbol, CASES[index] as (typeof CASES)[number]),
    );
    await using bot = await TradeBot.start(testbed.redis.url, venue.symbols);
    const pricesOf = (symbol: string) =>
      bot.of('trade').flatMap((trade) => (trade.symbol === symbol ? [trade.price] : []));
    const published = () => instruments.map(({ symbol }) => pricesOf(symbol));
    await using proxy = await TcpProxy.start({ port: testbed.redis.port, random: new Random(1) });
    await using link = new RedisConnection({ host: '127.0.0.1', port: proxy.port, logger: SILENT });
    const options = {
      createFeed: () => venue.createFeed(),
      symbols: [],
      demandIntervalMs: 50,
      // On a busy machine, ccxt occupies the process of both gateways for seconds.
      leaseTtlMs: 5_000,
    };
    const first = await testbed.startGateway({ ...options, connection: link });
    const isReady = (gateway: Gateway) =>
      expect
        .poll(
          () => [gateway.stats.wanted, gateway.stats.feed?.state, venue.serves(instruments.length)],
          patient,
        )
        .toEqual([instruments.length, 'live', true]);
    await isReady(first);
    for (const one of instruments) venue.send(one.published);
    await expect
      .poll(published, patient)
      .toEqual(instruments.map((one) => one.published.map(({ price }) => price)));

    const second = await testbed.startGateway(options);
    proxy.refuse();
    proxy.reset();
    const frames = first.stats.frames;
    for (const one of instruments) venue.send(one.unpublished);
    await expect.poll(() => first.stats.frames, patient).toBeGreaterThan(frames);
    venue.drop();
    await isReady(second);
    for (const { late, sentAgain, missed } of instruments) venue.send([late, ...sentAgain, missed]);
    // The first gateway comes back, and is on standby.
    proxy.heal();
    await expect.poll(() => first.readiness, patient).toMatchObject({ ready: true, role: 'standby' });
    for (const { last } of instruments) venue.send([last]);
    await expect.poll(published, patient).toEqual(instruments.map(({ inOrder }) => inOrder));

    const lateOnes = bot.of('trade').flatMap(({ symbol, price, late }) => (late ? `${symbol} ${price}` : []));
    expect(lateOnes.sort()).toEqual(instruments.map(({ symbol, late }) => `${symbol} ${late.price}`).sort());
    const repeated = CASES.reduce((sum, { last }) => sum + last - UNPUBLISHED, 0);
    const late = instruments.length;
    await expect
      .poll(() => second.stats.trades, patient)
      .toMatchObject({ published: (UNPUBLISHED + 2) * late, late, repeated, forgotten: 0, lost: 0 });
    expect(bot.of('trade_gap').map(({ reason }) => reason)).toEqual(
      [...instruments, ...instruments].map(() => 'start'),
    );
    // PRICE_DATA takes no late trade, and never goes back. A new gateway may publish once more what was the price, and
    // a gateway of a busy machine leaves prices out that newer ones have replaced.
    const onPrices = (key: string) =>
      testbed.prices.all
        .flatMap(({ data: { symbol, price } }) => (symbol === key ? [price] : []))
        .filter((price, index, all) => price !== all[index - 1]);
    for (const { symbol, inOrder, late: lateTrade, last } of instruments) {
      await expect.poll(() => onPrices(symbol).at(-1), patient).toBe(last.price);
      const prices = onPrices(symbol);
      expect(prices).toEqual(inOrder.filter((price) => price !== lateTrade.price && prices.includes(price)));
    }
    expect(second.stats.dropped.late).toBeGreaterThanOrEqual(repeated);
  },
);
