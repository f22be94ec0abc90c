// Freshness when the bot itself is the trouble: its link, a process that hangs, a handler that is slow, clocks that are set.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';

import { World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('the link', () => {
  it('that is down is told at once, and is recovering until everything is caught up with', async () => {
    const world = await World.running();
    world.link.disconnect();
    expect(world.required()).toBe('link_down');
    world.link.reconnect();
    expect(world.required()).toBe('recovering');
    await eventLoopTurns();
    expect(world.required()).toBe(1);
  });

  it('is down for a bot that does not listen yet, has closed, or has not subscribed', async () => {
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

  it('says that it is connecting while it is, and that nobody listens before that and after a failure', async () => {
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

  it('whose head cannot be confirmed is down after 2 s, though nothing says so', async () => {
    const world = await World.running();
    // A look at the head gets no answer any more, and prices and heartbeats still come.
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

  it('of a process that hangs is not believed: the price gets old, then the link does', async () => {
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

  it('of a user who may not read what gateways tell leaves nothing fresh, says so once, and delivers', async () => {
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
    expect(
      world.logger.lines.filter(({ message }) => message.includes('Gateway status cannot be read')),
    ).toHaveLength(1);
  });
});

it('a handler that lets messages wait is lagging', async () => {
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
  it('of the bot that are set change nothing', async () => {
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
    'of the server that are set by %i ms make nothing fresh that is not, and all is well two seconds later',
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
      // It is 4.5 s old, whatever the clocks say.
      expect(Math.abs(world.latest('B').changedAgoMs - 4_500)).toBeLessThanOrEqual(1);
    },
  );
});
