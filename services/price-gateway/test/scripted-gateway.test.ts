// The scripted gateway of tickbus/testing publishes what this gateway publishes for the same events.

import type { FeedStatus, InstrumentStatus, Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { ScriptedGateway } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { AT, collect, quote, ReceivedValues, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();

/** Words say what happened; of other values only the field counts. A scripted gateway has no venue. */
function shapeOf(message: object): object {
  const words = ['state', 'market', 'cause', 'source', 'reports_instruments'];
  const fields = Object.entries(message).filter(([field]) => field !== 'venue');
  return Object.fromEntries(
    fields.map(([field, value]) => [field, words.includes(field) ? value : typeof value]),
  );
}

async function recorded(subscriber: RedisSubscriber) {
  const prices = new ReceivedValues<Price>();
  const feeds = new ReceivedValues<FeedStatus>();
  const instruments = new ReceivedValues<InstrumentStatus>();
  collect(subscriber, CHANNELS.PRICE_DATA, ({ data }) => prices.add(data));
  collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => feeds.add(data));
  collect(subscriber, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
  await subscriber.startListening();
  const shapes = () => ({
    prices: prices.all.map(shapeOf),
    instruments: instruments.all.map(shapeOf),
    live: shapeOf(
      feeds.all.filter(({ state, last_frame_at }) => state === 'live' && last_frame_at).at(-1) ?? {},
    ),
    ends: feeds.all.filter(({ state }) => state.startsWith('stop')).map(shapeOf),
  });
  return { prices, feeds, instruments, shapes };
}

const HALT = { kind: 'status', symbol: 'AAPL', reason: ['T1', 'News Pending'], timestamp: AT } as const;
const NO_BID = { bid: 0, bid_size: 0 };

it('has the same fields and words for quotes, trades, a withdrawn side, a halt, its end, and a stop', async () => {
  const real = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => real.close());
  const gateway = await recorded(real);
  const { market } = testbed;
  const running = await testbed.startGateway({ symbols: ['AAPL'] });
  await gateway.instruments.until(({ state }) => state === 'subscribed');
  market.push(quote(100, 101));
  await gateway.prices.until(({ cause }) => cause === 'quote');
  market.push({ ...quote(100, 101), ...NO_BID });
  await gateway.instruments.until(({ market: state }) => state === 'no_price');
  const unpriced = gateway.instruments.all.length;
  market.push(trade(100.25), { ...quote(100, 102), ...NO_BID });
  await gateway.prices.until(({ ask }) => ask === 102);
  await gateway.instruments.until(({ state }) => state === 'subscribed', unpriced);
  market.push({ ...HALT, code: 'H' });
  await gateway.instruments.until(({ market: state }) => state === 'halted');
  const count = gateway.instruments.all.length;
  market.push({ ...HALT, code: 'T' });
  await gateway.instruments.until(({ state }) => state === 'subscribed', count);
  const beats = gateway.feeds.all.length;
  await gateway.feeds.until(({ state }) => state === 'live', beats);
  await running.stop();
  await gateway.feeds.until(({ state }) => state === 'stopped');

  await using script = await ScriptedGateway.start();
  await using subscriber = new RedisSubscriber({ ...script.overrides, logger: SILENT });
  const scripted = await recorded(subscriber);
  await script.quote('AAPL', { bid: 100, bid_size: 2, ask: 101, ask_size: 3 });
  await script.quote('AAPL', { ask: 101, ask_size: 3 });
  await script.price('AAPL', 100.25, { size: 10 });
  await script.quote('AAPL', { ask: 102, ask_size: 3 });
  await script.halt('AAPL', 'Trading Halt, T1, News Pending');
  await script.resume('AAPL');
  await script.advance(500);
  await script.stop();
  expect(scripted.shapes()).toEqual(gateway.shapes());
  expect(scripted.prices.all).toHaveLength(3);
});
