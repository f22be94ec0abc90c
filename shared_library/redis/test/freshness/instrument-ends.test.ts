// Instrument statuses that have ended: the state of the instrument is unknown, and its unchanged price is not fresh.

import { eventLoopTurns } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { FreshnessHarness, MINUTE_OF_QUIET } from './freshness.fixture.ts';

const { INSTRUMENT_STATUS, PRICE_DATA } = CHANNELS;

const REPORTING = { state: 'live', reports_instruments: true } as const;

/** The gateway unsubscribes from A. */
async function endStatus({ publisher }: FreshnessHarness): Promise<void> {
  const status = { symbol: 'A', state: 'unsubscribed', feed: 'sim' } as const;
  await publisher.publish(INSTRUMENT_STATUS, status, { endsKey: true });
  await eventLoopTurns(2);
}

/** Ten seconds without a price of A, while the feed is live. */
async function beQuiet(harness: FreshnessHarness): Promise<string | number> {
  await harness.advance(10_000);
  await harness.publishPrice('B');
  await harness.advance(50);
  return harness.priceOrVerdict('A', MINUTE_OF_QUIET);
}

it('a late joiner does not take a quiet price as fresh if the status of its instrument has ended', async () => {
  const harness = new FreshnessHarness();
  harness.status = REPORTING;
  await harness.heartbeat();
  await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.publishPrice('A');
  await endStatus(harness);
  await harness.advance(1_000);
  harness.bot.subscribe(PRICE_DATA, () => {});
  await harness.bot.startListening();
  await eventLoopTurns(4);
  expect(harness.latest('A').instrument).toBeUndefined();
  expect(await beQuiet(harness)).toBe('not_requested');
});

it.each([
  ['while the gateway reports its instrument as subscribed', REPORTING, true],
  ['if the gateway does not report instruments', { state: 'live' } as const, false],
])('a quiet price is fresh %s', async (_, status, isReported) => {
  const harness = new FreshnessHarness();
  harness.status = status;
  harness.bot.subscribe(PRICE_DATA, () => {});
  await harness.heartbeat();
  await harness.bot.startListening();
  if (isReported) await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.advance(1_000);
  await harness.publishPrice('A');
  expect(await beQuiet(harness)).toBe(1);
});

it('a quiet price is fresh if the venue had no price before it, because the subscription went on', async () => {
  const harness = await FreshnessHarness.running();
  harness.status = REPORTING;
  await harness.heartbeat();
  await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.advance(1_000);
  await harness.publishPrice('A');
  await harness.publishInstrumentStatus('A', 'subscribed', { market: 'no_price' });
  expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('no_price');
  await harness.advance(1_000);
  await harness.publishPrice('A', 2);
  await harness.advance(100);
  await harness.publishInstrumentStatus('A', 'subscribed');
  expect(await beQuiet(harness)).toBe(2);
});

it('a quiet price is fresh before and after new price bands, which `latest` returns', async () => {
  const harness = await FreshnessHarness.running();
  harness.status = REPORTING;
  await harness.heartbeat();
  await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.advance(1_000);
  await harness.publishPrice('A');
  expect(harness.latest('A').instrument).not.toHaveProperty('limitDown');
  for (const limit_down of [90, 91]) {
    await harness.advance(2_000);
    await harness.publishInstrumentStatus('A', 'subscribed', { limit_down, limit_up: 110 });
    expect(harness.latest('A').instrument).toMatchObject({ limitDown: limit_down, limitUp: 110 });
  }
  expect(await beQuiet(harness)).toBe(1);
  harness.status = { state: 'down' };
  await harness.heartbeat();
  expect(harness.latest('A')).toMatchObject({ verdict: 'feed_down', instrument: { state: 'subscribed' } });
  expect(harness.latest('A').instrument).not.toHaveProperty('limitUp');
  harness.status = REPORTING;
  await harness.heartbeat();
  expect(harness.latest('A').instrument).toMatchObject({ limitUp: 110 });
  await harness.publishInstrumentStatus('A', 'subscribed');
  expect(harness.latest('A').instrument).not.toHaveProperty('limitUp');
  expect(await beQuiet(harness)).toBe(1);
});

it('a late joiner takes a quiet price as fresh after a new price band, because the subscription went on', async () => {
  const harness = new FreshnessHarness();
  harness.status = REPORTING;
  await harness.heartbeat();
  await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.advance(1_000);
  await harness.publishPrice('A');
  await harness.advance(2_000);
  await harness.publishInstrumentStatus('A', 'subscribed', { limit_up: 110, state_for_ms: 3_000 });
  harness.bot.subscribe(PRICE_DATA, () => {});
  await harness.bot.startListening();
  await eventLoopTurns(4);
  expect(harness.latest('A').instrument).toMatchObject({ limitUp: 110 });
  expect(await beQuiet(harness)).toBe(1);
  // The gateway has subscribed to it again: a price may be missing.
  await harness.publishInstrumentStatus('A', 'subscribed', { limit_up: 110 });
  await harness.publishInstrumentStatus('A', 'subscribed', { limit_up: 111, state_for_ms: 1 });
  expect(await beQuiet(harness)).toBe('quiet_market');
});

it('a subscriber that misses the end of a status forgets it, and keeps those that hold', async () => {
  const harness = await FreshnessHarness.running();
  await harness.publishInstrumentStatus('A', 'subscribed');
  await harness.publishInstrumentStatus('C', 'refused');
  expect(harness.latest('A').instrument).toMatchObject({ state: 'subscribed' });
  // The subscriber confirms its position, so after the loss it reads only newer statuses.
  await harness.advance(2_000);
  harness.link.disconnect();
  await endStatus(harness);
  harness.link.reconnect();
  await harness.advance(1_000);
  expect(harness.latest('A').instrument).toBeUndefined();
  expect(harness.latest('C').instrument).toMatchObject({ state: 'refused' });
  await harness.publishInstrumentStatus('A', 'subscribed');
  expect(harness.latest('A').instrument).toMatchObject({ state: 'subscribed' });
});
