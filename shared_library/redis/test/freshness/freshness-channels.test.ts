// Channels and bounds of freshness: without a gateway, of other kinds, with own defaults, and switched off.

import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { CHANNELS } from '../../constants.ts';
import { PRICES } from '../library.fixture.ts';
import { patient, World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('channels', () => {
  it('without a gateway are judged by value age and link only', async () => {
    const world = await World.running();
    world.bot.subscribe(PRICES, () => {});
    await eventLoopTurns();
    await world.publisher.publish(PRICES, { symbol: 'P', price: 9 });
    world.isAlive = false;
    await world.pass(1_000);
    const latest = () => world.bot.latest(PRICES, 'P', patient);
    expect(latest()).toMatchObject({
      verdict: 'fresh',
      confirmedAgoMs: 1_000,
      message: { data: { price: 9 } },
    });
    await world.pass(1_050);
    expect(latest().verdict).toBe('quiet_market');
  });

  it('latest, requireFresh and subscribe throw TICKBUS_INVALID_OPTION for another kind or invalid bounds', async () => {
    const world = await World.running();
    const invalid = { code: 'TICKBUS_INVALID_OPTION' };
    expect(await errorOf(() => world.bot.latest(CHANNELS.TRADE_COMMANDS, 'x'))).toMatchObject(invalid);
    for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await errorOf(() => world.bot.requireFresh(PRICE_DATA, 'A', { maxAgeMs: bad }))).toMatchObject(
        invalid,
      );
      expect(await errorOf(() => world.latest('A', { maxQuietMs: bad }))).toMatchObject(invalid);
      expect(await errorOf(() => new World({ freshness: { missedHeartbeats: bad } }))).toMatchObject(invalid);
      expect(await errorOf(() => world.bot.subscribe(PRICE_DATA, () => {}, { maxAgeMs: bad }))).toMatchObject(
        invalid,
      );
    }
    expect(
      await errorOf(() => world.bot.subscribe(CHANNELS.TRADE_COMMANDS, () => {}, { maxAgeMs: 1 })),
    ).toMatchObject(invalid);
    expect(await errorOf(() => world.bot.requireFresh(PRICE_DATA, 'A', {} as never))).toMatchObject(invalid);
  });

  it('of an application can have a gateway and a maxQuietMs of their own', async () => {
    const OWN = defineChannel('OWN', {
      kind: 'state',
      key: 'k',
      gateway: true,
      maxQuietMs: 30_000,
      messages: { value: z.object({ k: z.string() }) },
    });
    const world = new World();
    world.status = { state: 'live', feed: 'own', channel: 'OWN' };
    world.bot.subscribe(OWN, () => {});
    await world.heartbeat();
    await world.bot.startListening();
    await world.publisher.publish(OWN, { k: 'x' });
    await world.pass(10_000);
    world.lastFrameAt = world.serverClock.monotonic();
    await world.heartbeat();
    expect(world.bot.requireFresh(OWN, 'x', { maxAgeMs: 2_000 }).data).toEqual({ k: 'x' });
  });
});

describe('freshness: false', () => {
  it('reads no status channel, and no value is fresh', async () => {
    const world = await World.running({ freshness: false });
    expect(world.required()).toBe('gateway_down');
    expect(world.server.publishRaw('FEED_STATUS', new Uint8Array())).toBe(0);
  });
});
