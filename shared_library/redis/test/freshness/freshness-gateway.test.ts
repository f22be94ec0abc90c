// What a gateway tells of its feed, itself and its instruments, and what becomes of the verdicts.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { InstrumentChange } from '../../subscriber.ts';
import { patient, World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('a feed', () => {
  it.each(['connecting', 'silent', 'down'] as const)('that is %s is told as feed_down', async (state) => {
    const world = await World.running();
    world.status = { state, detail: 'The broker says no.' };
    await world.heartbeat();
    expect(world.required('A', patient)).toBe('feed_down');
    expect(world.latest('A').reason).toContain('The broker says no.');
  });

  it.each(['stopping', 'stopped'] as const)('whose gateway is %s is told as gateway_down', async (state) => {
    const world = await World.running();
    world.status = { state };
    await world.heartbeat();
    expect(world.required()).toBe('gateway_down');
  });

  it('of another channel says nothing of this one', async () => {
    const world = await World.running();
    world.status = { state: 'down', feed: 'other', channel: 'OTHER' };
    await world.heartbeat();
    expect(world.required()).toBe(1);
  });
});

describe('a gateway', () => {
  it('that was never heard is down', async () => {
    const world = new World();
    world.isAlive = false;
    world.bot.subscribe(PRICE_DATA, () => {});
    await world.bot.startListening();
    await world.price('A');
    expect(world.required()).toBe('gateway_down');
  });

  it('is down when three heartbeats are missing, and back with the next one', async () => {
    const world = await World.running();
    await world.pass(10_000);
    await world.heartbeat();
    world.isAlive = false;
    await world.pass(2_950);
    await world.price('A', 2);
    expect(world.required()).toBe(2);
    await world.pass(50);
    expect(world.required()).toBe('gateway_down');
    await world.heartbeat();
    expect(world.required()).toBe(2);
  });

  it('says itself how often it is heard', async () => {
    const world = await World.running({ freshness: { missedHeartbeats: 2 } });
    world.status = { state: 'live', interval_ms: 200 };
    await world.heartbeat();
    world.isAlive = false;
    await world.pass(350);
    expect(world.required()).toBe(1);
    await world.pass(50);
    expect(world.required()).toBe('gateway_down');
  });

  it('with an older lease is not listened to', async () => {
    const world = await World.running();
    const lease = await world.takeLease();
    world.status = { state: 'live', lease };
    await world.heartbeat();
    world.status = { state: 'stopped', lease: lease - 1 };
    await world.heartbeat();
    expect(world.required()).toBe(1);
    world.status = { state: 'stopped', lease };
    await world.heartbeat();
    expect(world.required()).toBe('gateway_down');
  });

  it('that holds the lease and publishes no heartbeat is down', async () => {
    const world = new World();
    world.isAlive = false;
    world.bot.subscribe(PRICE_DATA, () => {});
    await world.bot.startListening();
    await world.price('A');
    const lease = await world.takeLease();
    await world.pass(1_000);
    expect(world.required('A', patient)).toBe('gateway_down');
    world.status = { state: 'live', lease };
    await world.heartbeat();
    expect(world.required('A', patient)).toBe(1);
  });

  it('that names a lease is listened to as soon as it is known to hold it', async () => {
    const world = await World.running();
    await world.pass(500);
    const lease = await world.takeLease();
    world.status = { state: 'live', lease: lease + 1 };
    await world.heartbeat();
    expect(world.latest('A')).toMatchObject({
      verdict: 'gateway_down',
      reason: 'The gateway of sim does not hold the lease of PRICE_DATA on this Redis.',
    });
    world.server.release('PRICE_DATA', lease);
    expect(await world.takeLease()).toBe(lease + 1);
    await world.heartbeat();
    expect(world.required()).toBe(1);
  });

  it('is not believed once its lease has ended, while it goes on telling', async () => {
    const world = await World.running();
    const lease = await world.takeLease();
    world.status = { state: 'live', lease };
    await world.heartbeat();
    expect(world.required('A', patient)).toBe(1);
    world.server.release('PRICE_DATA', lease);
    await world.pass(1_000);
    expect(world.required('A', patient)).toBe('gateway_down');
  });

  it.each([false, true])(
    'is not believed on a server that forgot its lease, whether or not it was heard there: %s',
    async (isHeard) => {
      const world = await World.running();
      const lease = await world.takeLease();
      world.status = { state: 'live', lease };
      await world.heartbeat();
      world.link.disconnect();
      world.server.flush();
      world.link.reconnect();
      if (isHeard) await world.heartbeat();
      await eventLoopTurns();
      expect(world.required('A', patient)).toBe('gateway_down');
    },
  );
});

describe('an instrument', () => {
  const asking = async () => {
    const world = new World();
    const changes: InstrumentChange[] = [];
    world.bot.on('instrument', (change) => changes.push(change));
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'X'] });
    await world.heartbeat();
    await world.bot.startListening();
    await world.price('A');
    return { world, changes };
  };

  it.each(['refused', 'unknown', 'unsubscribed'] as const)(
    'that is %s is told, and not fresh',
    async (state) => {
      const { world, changes } = await asking();
      await world.instrument('X', state, { detail: 'Symbol limit.' });
      await world.instrument('X', state, { detail: 'Symbol limit.' });
      await world.instrument('other', state);
      await world.price('X');
      expect(changes).toEqual([
        { channel: 'PRICE_DATA', key: 'X', state, detail: 'Symbol limit.', feed: 'sim' },
      ]);
      expect(world.latest('X')).toMatchObject({
        verdict: 'feed_down',
        reason: `The feed sim does not deliver this key (${state}): Symbol limit.`,
        instrument: { state, detail: 'Symbol limit.', feed: 'sim' },
      });
      await world.instrument('X', 'subscribed');
      expect([changes.length, world.required('X')]).toEqual([2, 1]);
    },
  );

  it('that a gateway refuses as the one before it did is told to whoever came in between', async () => {
    const world = new World();
    const changes: InstrumentChange[] = [];
    world.bot.on('instrument', (change) => changes.push(change));
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['X'] });
    await world.instrument('X', 'refused', { lease: 5 });
    world.status = { state: 'live', lease: 6 };
    await world.heartbeat();
    await world.bot.startListening();
    expect(changes).toEqual([]);
    await world.instrument('X', 'refused', { lease: 6 });
    expect(changes).toEqual([{ channel: 'PRICE_DATA', key: 'X', state: 'refused', feed: 'sim' }]);
    await world.instrument('X', 'refused', { lease: 7 });
    expect(changes.length).toBe(1);
  });

  it('that was refused before is told to whoever asks for it later', async () => {
    const { world, changes } = await asking();
    await world.instrument('Y', 'unknown');
    expect(changes).toEqual([]);
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['Y', 'A'] });
    await eventLoopTurns();
    expect(changes).toMatchObject([{ key: 'Y', state: 'unknown' }]);
  });

  it('is not bound by what an older gateway said', async () => {
    const { world, changes } = await asking();
    await world.price('X');
    const lease = await world.takeLease();
    await world.instrument('X', 'refused', { lease: lease - 1 });
    world.status = { state: 'live', lease };
    await world.heartbeat();
    expect([world.required('X'), changes.length]).toEqual([1, 1]);
    await world.instrument('X', 'unknown', { lease: lease - 1 });
    expect([world.required('X'), changes.length]).toEqual([1, 1]);
  });

  it('that was subscribed anew is not believed to have been quiet before', async () => {
    const { world } = await asking();
    await world.pass(2_100);
    await world.instrument('A', 'subscribed');
    await world.pass(1_000);
    await world.price('X');
    expect(world.required('A', patient)).toBe('quiet_market');
  });
});

it('reads what gateways tell silently: nothing of it is told unless it is subscribed to', async () => {
  const world = new World();
  const told: string[] = [];
  world.bot.on('status', (status) => 'channel' in status && told.push(status.channel));
  world.bot.on('invalid_message', ({ channel }) => told.push(channel));
  world.bot.subscribe(PRICE_DATA, () => {});
  await world.bot.startListening();
  world.link.disconnect();
  for (let count = 0; count < 3; count++) await world.heartbeat();
  world.link.reconnect();
  await eventLoopTurns();
  world.server.publishRaw('FEED_STATUS', new Uint8Array());
  await world.pass(3_000);
  expect(new Set(told)).toEqual(new Set(['PRICE_DATA']));
  const states: string[] = [];
  world.bot.subscribe(CHANNELS.FEED_STATUS, ({ data }) => states.push(data.state));
  await world.pass(1_000);
  expect(states.at(-1)).toBe('live');
});
