// Verdicts that follow from the status of the feed, the gateway and the instruments.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { InstrumentChange } from '../../subscriber.ts';
import { FreshnessHarness, MINUTE_OF_QUIET } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('a feed', () => {
  it.each(['connecting', 'silent', 'down'] as const)('in state %s yields feed_down', async (state) => {
    const harness = await FreshnessHarness.running();
    harness.status = { state, detail: 'The broker says no.' };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('feed_down');
    expect(harness.latest('A').reason).toContain('The broker says no.');
  });

  it.each(['stopping', 'stopped'] as const)('whose gateway is %s yields gateway_down', async (state) => {
    const harness = await FreshnessHarness.running();
    harness.status = { state };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe('gateway_down');
  });

  it('of another channel does not affect the verdict', async () => {
    const harness = await FreshnessHarness.running();
    harness.status = { state: 'down', feed: 'other', channel: 'OTHER' };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe(1);
  });
});

describe('a gateway', () => {
  it('yields gateway_down before its first heartbeat', async () => {
    const harness = new FreshnessHarness();
    harness.isAlive = false;
    harness.bot.subscribe(PRICE_DATA, () => {});
    await harness.bot.startListening();
    await harness.publishPrice('A');
    expect(harness.priceOrVerdict()).toBe('gateway_down');
  });

  it('yields gateway_down after three missed heartbeats, and recovers with the next one', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(10_000);
    await harness.heartbeat();
    harness.isAlive = false;
    await harness.advance(2_950);
    await harness.publishPrice('A', 2);
    expect(harness.priceOrVerdict()).toBe(2);
    await harness.advance(50);
    expect(harness.priceOrVerdict()).toBe('gateway_down');
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe(2);
  });

  it('sets its own heartbeat interval with interval_ms', async () => {
    const harness = await FreshnessHarness.running({ freshness: { missedHeartbeats: 2 } });
    harness.status = { state: 'live', interval_ms: 200 };
    await harness.heartbeat();
    harness.isAlive = false;
    await harness.advance(350);
    expect(harness.priceOrVerdict()).toBe(1);
    await harness.advance(50);
    expect(harness.priceOrVerdict()).toBe('gateway_down');
  });

  it('is ignored if its lease token is older than a known one', async () => {
    const harness = await FreshnessHarness.running();
    const lease = await harness.takeLease();
    harness.status = { state: 'live', lease };
    await harness.heartbeat();
    harness.status = { state: 'stopped', lease: lease - 1 };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe(1);
    harness.status = { state: 'stopped', lease };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe('gateway_down');
  });

  it('of the holder ends the effect of a made-up higher lease', async () => {
    const harness = await FreshnessHarness.running();
    const lease = await harness.takeLease();
    harness.status = { state: 'live', lease: lease + 1_000, feed: 'forged' };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe('gateway_down');
    harness.status = { state: 'live', lease };
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe(1);
  });

  it('yields gateway_down if it holds the lease and publishes no heartbeat', async () => {
    const harness = new FreshnessHarness();
    harness.isAlive = false;
    harness.bot.subscribe(PRICE_DATA, () => {});
    await harness.bot.startListening();
    await harness.publishPrice('A');
    const lease = await harness.takeLease();
    await harness.advance(1_000);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('gateway_down');
    harness.status = { state: 'live', lease };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
  });

  it('counts only once it is known to hold the lease it names', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(500);
    const lease = await harness.takeLease();
    harness.status = { state: 'live', lease: lease + 1 };
    await harness.heartbeat();
    expect(harness.latest('A')).toMatchObject({
      verdict: 'gateway_down',
      reason: 'The gateway of sim does not hold the lease of PRICE_DATA on this Redis.',
    });
    harness.server.release('PRICE_DATA', lease);
    expect(await harness.takeLease()).toBe(lease + 1);
    await harness.heartbeat();
    expect(harness.priceOrVerdict()).toBe(1);
  });

  it('yields gateway_down after its lease ended, although heartbeats continue', async () => {
    const harness = await FreshnessHarness.running();
    const lease = await harness.takeLease();
    harness.status = { state: 'live', lease };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe(1);
    harness.server.release('PRICE_DATA', lease);
    await harness.advance(1_000);
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('gateway_down');
  });

  it.each([false, true])(
    'yields gateway_down on a server that forgot its lease (heartbeat after the restart: %s)',
    async (isHeard) => {
      const harness = await FreshnessHarness.running();
      const lease = await harness.takeLease();
      harness.status = { state: 'live', lease };
      await harness.heartbeat();
      harness.link.disconnect();
      harness.server.flush();
      harness.link.reconnect();
      if (isHeard) await harness.heartbeat();
      await eventLoopTurns();
      expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('gateway_down');
    },
  );
});

describe('an instrument', () => {
  const subscribedToTwoKeys = async () => {
    const harness = new FreshnessHarness();
    const changes: InstrumentChange[] = [];
    harness.bot.on('instrument', (change) => changes.push(change));
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'X'] });
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publishPrice('A');
    return { harness, changes };
  };

  it.each([
    ['refused', 'feed_down', /^The feed sim does not deliver this key \(refused\): Symbol limit\.$/],
    ['unknown', 'unknown_instrument', /^The feed sim does not know this key/],
    ['unsubscribed', 'not_requested', /^The gateway of sim has no subscription to this key/],
  ] as const)('in state %s emits one instrument event and yields %s', async (state, verdict, reason) => {
    const { harness, changes } = await subscribedToTwoKeys();
    await harness.publishInstrumentStatus('X', state, { detail: 'Symbol limit.' });
    await harness.publishInstrumentStatus('X', state, { detail: 'Symbol limit.' });
    await harness.publishInstrumentStatus('other', state);
    await harness.publishPrice('X');
    expect(changes).toEqual([
      { channel: 'PRICE_DATA', key: 'X', state, detail: 'Symbol limit.', feed: 'sim' },
    ]);
    expect(harness.latest('X')).toMatchObject({
      verdict,
      reason: expect.stringMatching(reason),
      instrument: { state, detail: 'Symbol limit.', feed: 'sim' },
    });
    await harness.publishInstrumentStatus('X', 'subscribed');
    expect([changes.length, harness.priceOrVerdict('X')]).toEqual([2, 1]);
  });

  it('refused again under a newer lease emits a second event to a subscriber that joined in between', async () => {
    const harness = new FreshnessHarness();
    const changes: InstrumentChange[] = [];
    harness.bot.on('instrument', (change) => changes.push(change));
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['X'] });
    await harness.publishInstrumentStatus('X', 'refused', { lease: 5 });
    harness.status = { state: 'live', lease: 6 };
    await harness.heartbeat();
    await harness.bot.startListening();
    expect(changes).toEqual([]);
    await harness.publishInstrumentStatus('X', 'refused', { lease: 6 });
    expect(changes).toEqual([{ channel: 'PRICE_DATA', key: 'X', state: 'refused', feed: 'sim' }]);
    await harness.publishInstrumentStatus('X', 'refused', { lease: 7 });
    expect(changes.length).toBe(1);
  });

  it('refused earlier emits its event to a later subscription', async () => {
    const { harness, changes } = await subscribedToTwoKeys();
    await harness.publishInstrumentStatus('Y', 'unknown');
    expect(changes).toEqual([]);
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['Y', 'A'] });
    await eventLoopTurns();
    expect(changes).toMatchObject([{ key: 'Y', state: 'unknown' }]);
  });

  it('ignores the status of an older lease', async () => {
    const { harness, changes } = await subscribedToTwoKeys();
    await harness.publishPrice('X');
    const lease = await harness.takeLease();
    await harness.publishInstrumentStatus('X', 'refused', { lease: lease - 1 });
    harness.status = { state: 'live', lease };
    await harness.heartbeat();
    expect([harness.priceOrVerdict('X'), changes.length]).toEqual([1, 1]);
    await harness.publishInstrumentStatus('X', 'unknown', { lease: lease - 1 });
    expect([harness.priceOrVerdict('X'), changes.length]).toEqual([1, 1]);
  });

  it.each(['halted', 'no_price'])('stays %s until the gateway that takes over reports it', async (market) => {
    const { harness } = await subscribedToTwoKeys();
    await harness.publishPrice('X');
    const lease = await harness.takeLease();
    await harness.publishInstrumentStatus('X', 'subscribed', { lease: lease - 1, market });
    harness.status = { state: 'live', lease, reports_instruments: true };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('X')).toBe(market);
    await harness.publishInstrumentStatus('X', 'subscribed', { lease });
    expect(harness.priceOrVerdict('X')).toBe(1);
    await harness.publishInstrumentStatus('X', 'subscribed', { lease, market });
    // A program that reports no instruments would never end it.
    harness.status = { state: 'live', lease: lease + 1 };
    await harness.heartbeat();
    expect(harness.priceOrVerdict('X')).not.toBe(market);
  });

  it('that was resubscribed is quiet_market until its next price', async () => {
    const { harness } = await subscribedToTwoKeys();
    await harness.advance(2_100);
    await harness.publishInstrumentStatus('A', 'subscribed');
    await harness.advance(1_000);
    await harness.publishPrice('X');
    expect(harness.priceOrVerdict('A', MINUTE_OF_QUIET)).toBe('quiet_market');
  });
});

it('status channels emit no events unless the application subscribes to them', async () => {
  const harness = new FreshnessHarness();
  const channels: string[] = [];
  harness.bot.on('status', (status) => 'channel' in status && channels.push(status.channel));
  harness.bot.on('invalid_message', ({ channel }) => channels.push(channel));
  harness.bot.subscribe(PRICE_DATA, () => {});
  await harness.bot.startListening();
  harness.link.disconnect();
  for (let count = 0; count < 3; count++) await harness.heartbeat();
  harness.link.reconnect();
  await eventLoopTurns();
  harness.server.publishRaw('FEED_STATUS', new Uint8Array());
  await harness.advance(3_000);
  expect(new Set(channels)).toEqual(new Set(['PRICE_DATA']));
  const states: string[] = [];
  harness.bot.subscribe(CHANNELS.FEED_STATUS, ({ data }) => states.push(data.state));
  await harness.advance(1_000);
  expect(states.at(-1)).toBe('live');
});
