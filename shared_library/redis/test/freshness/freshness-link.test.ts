// Freshness under faults of the bot: its link, a blocked process, a slow handler, clock changes.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';

import { World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('the link', () => {
  it('yields link_down immediately after a disconnect, then recovering until the channel is caught up', async () => {
    const world = await World.running();
    world.link.disconnect();
    expect(world.required()).toBe('link_down');
    world.link.reconnect();
    expect(world.required()).toBe('recovering');
    await eventLoopTurns();
    expect(world.required()).toBe(1);
  });

  it('yields link_down before startListening(), without a subscription, and after close()', async () => {
    const world = new World();
    expect(world.latest('A')).toMatchObject({ verdict: 'link_down', changedAgoMs: Number.POSITIVE_INFINITY });
    world.bot.subscribe(PRICE_DATA, () => {});
    expect(world.required()).toBe('link_down');
    await world.heartbeat();
    await world.bot.startListening();
    await world.price('A');
    expect(world.required()).toBe(1);
    await world.bot.close();
    expect(world.required()).toBe('link_down');
  });

  it('reason says "connecting" while connecting, and "not listening" before and after a failed attempt', async () => {
    const world = new World();
    const reason = () => world.latest('A').reason;
    const reasons: string[] = [];
    world.bot.on('verdict', (change) => reasons.push(change.reason));
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A'] });
    expect(reason()).toBe('The subscriber is not listening. Call startListening().');
    const attempt = deferred();
    world.link.subscribing.connect = () => attempt.promise;
    const started = world.bot.startListening();
    await world.clock.advance(100);
    expect(reasons).toEqual(['The subscriber is connecting to Redis.']);
    attempt.reject(new TickbusError('TICKBUS_CONNECT_FAILED', 'Nobody is there.'));
    await expect(started).rejects.toThrow('Nobody is there.');
    expect(reason()).toBe('The subscriber is not listening. Call startListening().');
  });

  it('yields link_down after 2 s without a confirmed head, although messages still arrive', async () => {
    const world = await World.running();
    // Head reads hang; prices and heartbeats still arrive.
    world.link.subscribing.head = () => new Promise(() => {});
    for (let step = 0; step < 19; step++) {
      await world.pass(100);
      await world.price('A', 5);
      expect(world.required()).toBe(5);
    }
    await world.pass(1_000);
    await world.price('A', 6);
    expect(world.required()).toBe('link_down');
  });

  it('of a blocked process: the value expires first, then the link', async () => {
    const world = await World.running();
    await world.pass(1_000);
    await world.price('A');
    world.block(1_890);
    expect(world.required('A', { maxAgeMs: 1_900 })).toBe(1);
    world.block(10);
    expect(world.required('A', { maxAgeMs: 1_900 })).toBe('quiet_market');
    expect(world.required('A', { maxAgeMs: 60_000 })).toBe(1);
    world.block(150);
    expect(world.required('A', { maxAgeMs: 60_000 })).toBe('link_down');
  });

  it('of a user without access to the status channels: nothing is fresh, one warning, prices are delivered', async () => {
    const world = new World();
    const { subscribing } = world.link;
    const subscribe = subscribing.subscribe.bind(subscribing);
    subscribing.subscribe = async (channel, onFrame) => {
      if (channel.name.endsWith('_STATUS')) throw new TickbusError('TICKBUS_DENIED', 'No.');
      return subscribe(channel, onFrame);
    };
    const prices: number[] = [];
    world.bot.subscribe(PRICE_DATA, ({ data }) => prices.push(data.price));
    await world.bot.startListening();
    await world.price('A');
    expect([prices, world.required()]).toEqual([[1], 'gateway_down']);
    expect(world.latest('A').reason).toContain('No.');
    world.link.disconnect();
    world.link.reconnect();
    await eventLoopTurns();
    expect(world.logger.lines.filter(({ message }) => message.includes('gateways tell'))).toHaveLength(1);
  });
});

it('a handler that keeps messages waiting for more than 2 s yields lagging', async () => {
  const world = new World();
  let finish = () => {};
  world.bot.subscribe(
    PRICE_DATA,
    () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  );
  await world.heartbeat();
  await world.bot.startListening();
  await world.price('A');
  await world.pass(3_000);
  await world.price('A', 2);
  expect(world.required()).toBe(2);
  await world.pass(2_000);
  await world.price('A', 3);
  expect(world.required()).toBe(3);
  await world.pass(50);
  expect(world.required()).toBe('lagging');
  finish();
  await eventLoopTurns();
  expect(world.required()).toBe(3);
});

describe('clocks', () => {
  it('of the bot do not affect the verdict when they jump', async () => {
    const world = await World.running();
    for (const by of [3_600_000, -7_200_000]) {
      world.clock.setNow(world.clock.now() + by);
      await world.pass(1_500);
      await world.price('A');
      expect(world.required()).toBe(1);
      await world.pass(2_050);
      expect(world.required()).toBe('quiet_market');
      await world.price('A');
    }
  });

  it.each([3_600_000, -3_600_000, 5_000, -5_000])(
    'of the server that jump by %i ms make no stale value fresh, and recover within two seconds',
    async (by) => {
      const world = await World.running();
      await world.pass(1_000);
      await world.price('B');
      await world.pass(1_500);
      world.serverClock.setNow(world.serverClock.now() + by);
      for (let step = 0; step < 20; step++) {
        await world.pass(100);
        expect(world.required('A', { maxAgeMs: 2_000, maxQuietMs: 2_000 })).not.toBe(1);
      }
      await world.price('C');
      expect(world.required('C')).toBe(1);
      await world.pass(1_000);
      // The value is 4.5 s old by the monotonic clock.
      expect(Math.abs(world.latest('B').changedAgoMs - 4_500)).toBeLessThanOrEqual(1);
    },
  );
});
