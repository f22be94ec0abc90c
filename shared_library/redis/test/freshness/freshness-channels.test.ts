// Freshness of channels without a gateway, of other kinds and with a default maxQuietMs, and with freshness: false.

import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { PRICES } from '../channels.fixture.ts';
import { FreshnessHarness, MINUTE_OF_QUIET } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('channels', () => {
  it('without a gateway are judged by value age and link only', async () => {
    const harness = await FreshnessHarness.running();
    harness.bot.subscribe(PRICES, () => {});
    await eventLoopTurns();
    await harness.publisher.publish(PRICES, { symbol: 'P', price: 9 });
    harness.isAlive = false;
    await harness.advance(1_000);
    const latest = () => harness.bot.latest(PRICES, 'P', MINUTE_OF_QUIET);
    expect(latest()).toMatchObject({
      verdict: 'fresh',
      confirmedAgoMs: 1_000,
      message: { data: { price: 9 } },
    });
    await harness.advance(1_050);
    expect(latest().verdict).toBe('quiet_market');
  });

  it('latest, requireFresh and subscribe throw TICKBUS_INVALID_OPTION for another kind or invalid bounds', async () => {
    const harness = await FreshnessHarness.running();
    const invalid = { code: 'TICKBUS_INVALID_OPTION' };
    expect(await errorOf(() => harness.bot.latest(CHANNELS.TRADE_COMMANDS, 'x'))).toMatchObject(invalid);
    for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await errorOf(() => harness.bot.requireFresh(PRICE_DATA, 'A', { maxAgeMs: bad }))).toMatchObject(
        invalid,
      );
      expect(await errorOf(() => harness.latest('A', { maxQuietMs: bad }))).toMatchObject(invalid);
      expect(
        await errorOf(() => new FreshnessHarness({ freshness: { missedHeartbeats: bad } })),
      ).toMatchObject(invalid);
      expect(
        await errorOf(() => harness.bot.subscribe(PRICE_DATA, () => {}, { maxAgeMs: bad })),
      ).toMatchObject(invalid);
    }
    expect(
      await errorOf(() => harness.bot.subscribe(CHANNELS.TRADE_COMMANDS, () => {}, { maxAgeMs: 1 })),
    ).toMatchObject(invalid);
    expect(await errorOf(() => harness.bot.requireFresh(PRICE_DATA, 'A', {} as never))).toMatchObject(
      invalid,
    );
  });

  it('of an application can have a gateway and a maxQuietMs of their own', async () => {
    const OWN = defineChannel('OWN', {
      kind: 'state',
      key: 'k',
      gateway: true,
      maxQuietMs: 30_000,
      messages: { value: z.object({ k: z.string() }) },
    });
    const harness = new FreshnessHarness();
    harness.status = { state: 'live', feed: 'own', channel: 'OWN' };
    harness.bot.subscribe(OWN, () => {});
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publisher.publish(OWN, { k: 'x' });
    await harness.advance(10_000);
    harness.lastFrameAt = harness.serverClock.monotonic();
    await harness.heartbeat();
    expect(harness.bot.requireFresh(OWN, 'x', { maxAgeMs: 2_000 }).data).toEqual({ k: 'x' });
  });
});

describe('freshness: false', () => {
  it('reads no status channel, and no value is fresh', async () => {
    const harness = await FreshnessHarness.running({ freshness: false });
    expect(harness.priceOrVerdict()).toBe('gateway_down');
    expect(harness.server.publishRaw('FEED_STATUS', new Uint8Array())).toBe(0);
  });
});
