// A book that empties on a living feed: each side, both, null and zero. `requireFresh` never gives out the withdrawn
// side, however long a price may be quiet. Real servers, the feeds, gateway, Redis and subscriber.

import type { InstrumentStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { collect, ReceivedValues, SILENT } from './gateway.fixture.ts';
import { QUOTE_VENUES, type SideOfBook } from './quote-venues.fixture.ts';
import { SKIP_REASON } from './replay/recorded-sessions.fixture.ts';

const testbed = useEmbeddedGateways();
const BOUNDS = { maxAgeMs: 30_000, maxQuietMs: 3_600_000 };

/** Later tests quote later. */
let now = Date.now() - 3_600_000;

const FULL: readonly [SideOfBook, SideOfBook] = [
  { price: 99, size: 1 },
  { price: 101, size: 2 },
];
const ZERO = { price: 0, size: 0 };
const NULL = { price: null, size: null };
const CASES = (['websocket', 'alpaca', 'ccxt'] as const).flatMap((venue) =>
  // Alpaca and Binance have no null.
  (venue === 'websocket' ? [ZERO, NULL] : [ZERO]).flatMap((empty) => [
    { venue, what: `the bid is ${empty.price}`, book: [empty, FULL[1]] },
    { venue, what: `the ask is ${empty.price}`, book: [FULL[0], empty] },
    { venue, what: `both are ${empty.price}`, book: [empty, empty] },
  ]),
) as { venue: keyof typeof QUOTE_VENUES; what: string; book: [SideOfBook, SideOfBook] }[];

it.for(CASES)('on $venue, $what', async ({ venue: name, book }, { skip }) => {
  skip(name === 'ccxt' && SKIP_REASON !== undefined, SKIP_REASON);
  const venue = await QUOTE_VENUES[name]();
  const { symbol } = venue;
  await using bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: [symbol] });
  await bot.startListening();
  const latest = () => {
    const { verdict, message } = bot.latest(CHANNELS.PRICE_DATA, symbol, BOUNDS);
    return { verdict, bid: message?.data.bid, ask: message?.data.ask };
  };
  await testbed.startGateway({ createFeed: () => venue.createFeed(), symbols: [] });
  await testbed.nextStatus('live');
  await expect.poll(() => venue.isSubscribed).toBe(true);

  now += 60_000;
  venue.quote(...FULL, now);
  await expect.poll(latest).toEqual({ verdict: 'fresh', bid: 99, ask: 101 });
  // Without a trade, there is no midpoint any more.
  venue.quote(...book, now + 1);
  await expect.poll(() => latest().verdict).toBe('no_price');
  expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, symbol, BOUNDS)).toThrow(
    /neither a trade nor both sides/,
  );
  venue.quote(...FULL, now + 2);
  await expect.poll(latest).toEqual({ verdict: 'fresh', bid: 99, ask: 101 });
  if (venue.trade === undefined) return;
  venue.trade(100, now + 3);
  await expect.poll(() => bot.requireFresh(CHANNELS.PRICE_DATA, symbol, BOUNDS).data.source).toBe('trade');
  venue.quote(...book, now + 4);
  const [bid, ask] = book.map(({ price }) => price || undefined);
  await expect.poll(latest).toEqual({ verdict: 'fresh', bid, ask });
});

it.each(['a new gateway', 'a bot that requests it again'])('stays withdrawn for %s', async (who) => {
  const venue = await QUOTE_VENUES.websocket();
  const { symbol } = venue;
  const options = {
    createFeed: () => venue.createFeed(),
    symbols: [],
    symbolGraceMs: 0,
    demandIntervalMs: 20,
  };
  const newBot = async () => {
    const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
    testbed.cleanUps.push(() => bot.close());
    const unsubscribe = bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: [symbol] });
    const instruments = new ReceivedValues<InstrumentStatus>();
    collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
    await bot.startListening();
    /** Resolves when the gateway with this lease has reported the subscription. */
    const subscribed = (than = 0) =>
      instruments.until(({ state, lease }) => state === 'subscribed' && (lease ?? 0) > than);
    return { unsubscribe, subscribed, latest: () => bot.latest(CHANNELS.PRICE_DATA, symbol, BOUNDS) };
  };
  const bot = await newBot();
  const gateway = await testbed.startGateway(options);
  const { lease } = await bot.subscribed();
  now += 60_000;
  venue.quote(...FULL, now);
  await expect.poll(() => bot.latest().verdict).toBe('fresh');
  venue.quote(ZERO, ZERO, now + 1);
  await expect.poll(() => bot.latest().verdict).toBe('no_price');

  const isNewGateway = who === 'a new gateway';
  if (isNewGateway) await gateway.stop();
  else {
    bot.unsubscribe();
    await expect.poll(() => gateway.stats.wanted).toBe(0);
  }
  const next = await newBot();
  if (isNewGateway) await testbed.startGateway(options);
  await next.subscribed(isNewGateway ? lease : undefined);
  await expect.poll(() => next.latest().instrument?.state).toBe('subscribed');
  expect(next.latest().verdict).toBe('no_price');
  venue.quote(...FULL, now + 2);
  await expect.poll(() => next.latest().verdict).toBe('fresh');
});

it('is withdrawn for bots as soon as Redis accepts the status of the instrument again', async () => {
  const venue = await QUOTE_VENUES.websocket();
  const { symbol } = venue;
  await using bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: [symbol] });
  const instruments = new ReceivedValues<InstrumentStatus>();
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
  await bot.startListening();
  const verdict = () => bot.latest(CHANNELS.PRICE_DATA, symbol, BOUNDS).verdict;
  const gateway = await testbed.startGateway({
    createFeed: () => venue.createFeed(),
    symbols: [symbol],
    // A reconnect would report all instruments again.
    reconnectSilentMs: 0,
  });
  await instruments.until(({ state }) => state === 'subscribed');
  now += 60_000;
  venue.quote(...FULL, now);
  await expect.poll(verdict).toBe('fresh');
  const statuses = 'tickbus:{INSTRUMENT_STATUS}:last';
  await testbed.redis.answers(`RENAME ${statuses} kept`, `SET ${statuses} broken`);
  venue.quote(ZERO, ZERO, now + 1);
  await expect.poll(() => Object.keys(gateway.stats.failures)).not.toEqual([]);
  await testbed.redis.answers(`RENAME kept ${statuses}`);
  await expect.poll(verdict).toBe('no_price');
});
