// Freshness under faults of the bot: its link, a blocked process, a slow handler, clock changes.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { FreshnessHarness } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('the link', () => {
  it('yields link_down immediately after a disconnect, then recovering until the channel is caught up', async () => {
    const harness = await FreshnessHarness.running();
    harness.link.disconnect();
    expect(harness.priceOrVerdict()).toBe('link_down');
    harness.link.reconnect();
    expect(harness.priceOrVerdict()).toBe('recovering');
    await eventLoopTurns();
    expect(harness.priceOrVerdict()).toBe(1);
  });

  it('yields link_down before startListening(), without a subscription, and after close()', async () => {
    const harness = new FreshnessHarness();
    expect(harness.latest('A')).toMatchObject({
      verdict: 'link_down',
      changedAgoMs: Number.POSITIVE_INFINITY,
    });
    harness.bot.subscribe(PRICE_DATA, () => {});
    expect(harness.priceOrVerdict()).toBe('link_down');
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publishPrice('A');
    expect(harness.priceOrVerdict()).toBe(1);
    await harness.bot.close();
    expect(harness.priceOrVerdict()).toBe('link_down');
  });

  it('reason says "connecting" while connecting, and "not listening" before and after a failed attempt', async () => {
    const harness = new FreshnessHarness();
    const reason = () => harness.latest('A').reason;
    const reasons: string[] = [];
    harness.bot.on('verdict', (change) => reasons.push(change.reason));
    harness.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A'] });
    expect(reason()).toBe('The subscriber is not listening. Call startListening().');
    const attempt = deferred();
    harness.link.subscribing.connect = () => attempt.promise;
    const started = harness.bot.startListening();
    await harness.clock.advance(100);
    expect(reasons).toEqual(['The subscriber is connecting to Redis.']);
    attempt.reject(new TickbusError('TICKBUS_CONNECT_FAILED', 'Nobody is there.'));
    await expect(started).rejects.toThrow('Nobody is there.');
    expect(reason()).toBe('The subscriber is not listening. Call startListening().');
  });

  it('yields link_down after 2 s without a confirmed head, although messages still arrive', async () => {
    const harness = await FreshnessHarness.running();
    // Reads of the channel head hang; prices and heartbeats still arrive.
    harness.link.subscribing.head = () => new Promise(() => {});
    for (let step = 0; step < 19; step++) {
      await harness.advance(100);
      await harness.publishPrice('A', 5);
      expect(harness.priceOrVerdict()).toBe(5);
    }
    await harness.advance(1_000);
    await harness.publishPrice('A', 6);
    expect(harness.priceOrVerdict()).toBe('link_down');
  });

  it('of a blocked process: the value expires first, then the link', async () => {
    const harness = await FreshnessHarness.running();
    await harness.advance(1_000);
    await harness.publishPrice('A');
    harness.block(1_890);
    expect(harness.priceOrVerdict('A', { maxAgeMs: 1_900 })).toBe(1);
    harness.block(10);
    expect(harness.priceOrVerdict('A', { maxAgeMs: 1_900 })).toBe('quiet_market');
    expect(harness.priceOrVerdict('A', { maxAgeMs: 60_000 })).toBe(1);
    harness.block(150);
    expect(harness.priceOrVerdict('A', { maxAgeMs: 60_000 })).toBe('link_down');
  });

  it('of a user without access to the status channels delivers prices, none of them fresh', async () => {
    const harness = new FreshnessHarness();
    const { subscribing } = harness.link;
    const subscribe = subscribing.subscribe.bind(subscribing);
    subscribing.subscribe = async (channel, onFrame) => {
      if (channel.name.endsWith('_STATUS')) throw new TickbusError('TICKBUS_DENIED', 'No.');
      return subscribe(channel, onFrame);
    };
    const prices: number[] = [];
    harness.bot.subscribe(PRICE_DATA, ({ data }) => prices.push(data.price));
    await harness.bot.startListening();
    await harness.publishPrice('A');
    expect([prices, harness.priceOrVerdict()]).toEqual([[1], 'gateway_down']);
    expect(harness.latest('A').reason).toContain('No.');
    harness.link.disconnect();
    harness.link.reconnect();
    await eventLoopTurns();
    const warnings = harness.logger.lines.filter(
      ({ level, text }) => level === 'warn' && text.includes('TICKBUS_DENIED'),
    );
    expect(warnings).toHaveLength(1);
  });
});

it('a handler that keeps messages waiting for more than 2 s yields lagging', async () => {
  const harness = new FreshnessHarness();
  let finish = () => {};
  harness.bot.subscribe(
    PRICE_DATA,
    () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  );
  await harness.heartbeat();
  await harness.bot.startListening();
  await harness.publishPrice('A');
  await harness.advance(3_000);
  await harness.publishPrice('A', 2);
  expect(harness.priceOrVerdict()).toBe(2);
  await harness.advance(2_000);
  await harness.publishPrice('A', 3);
  expect(harness.priceOrVerdict()).toBe(3);
  await harness.advance(50);
  expect(harness.priceOrVerdict()).toBe('lagging');
  finish();
  await eventLoopTurns();
  expect(harness.priceOrVerdict()).toBe(3);
});

describe('clocks', () => {
  it('of the bot do not affect the verdict when they jump', async () => {
    const harness = await FreshnessHarness.running();
    for (const by of [3_600_000, -7_200_000]) {
      harness.clock.setNow(harness.clock.now() + by);
      await harness.advance(1_500);
      await harness.publishPrice('A');
      expect(harness.priceOrVerdict()).toBe(1);
      await harness.advance(2_050);
      expect(harness.priceOrVerdict()).toBe('quiet_market');
      await harness.publishPrice('A');
    }
  });

  it.each([3_600_000, -3_600_000, 5_000, -5_000])(
    'of the server that jump by %i ms make no stale value fresh, and recover within two seconds',
    async (by) => {
      const harness = await FreshnessHarness.running();
      await harness.advance(1_000);
      await harness.publishPrice('B');
      await harness.advance(1_500);
      harness.serverClock.setNow(harness.serverClock.now() + by);
      for (let step = 0; step < 20; step++) {
        await harness.advance(100);
        expect(harness.priceOrVerdict('A', { maxAgeMs: 2_000, maxQuietMs: 2_000 })).not.toBe(1);
      }
      await harness.publishPrice('C');
      expect(harness.priceOrVerdict('C')).toBe(1);
      await harness.advance(1_000);
      // The value of B is 4.5 s old by the monotonic clock.
      expect(Math.abs(harness.latest('B').changedAgoMs - 4_500)).toBeLessThanOrEqual(1);
    },
  );
});
