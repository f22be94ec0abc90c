// Verdicts that follow from the status of the feed, the gateway and the instruments.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import type { InstrumentChange } from '../../subscriber.ts';
import { patient, World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('a feed', () => {
  it.each(['connecting', 'silent', 'down'] as const)('in state %s yields feed_down', async (state) => {
    const world = await World.running();
    world.status = { state, detail: 'The broker says no.' };
    await world.heartbeat();
    expect(world.required('A', patient)).toBe('feed_down');
    expect(world.latest('A').reason).toContain('The broker says no.');
  });

  it.each(['stopping', 'stopped'] as const)('whose gateway is %s yields gateway_down', async (state) => {
    const world = await World.running();
    world.status = { state };
    await world.heartbeat();
    expect(world.required()).toBe('gateway_down');
  });

  it('of another channel does not affect the verdict', async () => {
    const world = await World.running();
    world.status = { state: 'down', feed: 'other', channel: 'OTHER' };
    await world.heartbeat();
    expect(world.required()).toBe(1);
  });
});

describe('a gateway', () => {
  it('yields gateway_down before its first heartbeat', async () => {
    const world = new World();
    world.isAlive = false;
    world.bot.subscribe(PRICE_DATA, () => {});
    await world.bot.startListening();
    await world.price('A');
    expect(world.required()).toBe('gateway_down');
  });

  it('yields gateway_down after three missed heartbeats, and recovers with the next one', async () => {
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

  it('sets its own heartbeat interval with interval_ms', async () => {
    const world = await World.running({ freshness: { missedHeartbeats: 2 } });
    world.status = { state: 'live', interval_ms: 200 };
    await world.heartbeat();
    world.isAlive = false;
    await world.pass(350);
    expect(world.required()).toBe(1);
    await world.pass(50);
    expect(world.required()).toBe('gateway_down');
  });

  it('is ignored if its lease token is older than a known one', async () => {
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

  it('yields gateway_down if it holds the lease and publishes no heartbeat', async () => {
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

  it('counts only once it is known to hold the lease it names', async () => {
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

  it('yields gateway_down after its lease ended, although heartbeats continue', async () => {
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
    'yields gateway_down on a server that forgot its lease (heartbeat after the restart: %s)',
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
    'in state %s emits one instrument event and yields feed_down',
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
        reason: `The feed sim does not deliver it (${state}): Symbol limit.`,
        instrument: { state, detail: 'Symbol limit.', feed: 'sim' },
      });
      await world.instrument('X', 'subscribed');
      expect([changes.length, world.required('X')]).toEqual([2, 1]);
    },
  );

  it('refused again under a newer lease emits a second event to a subscriber that joined in between', async () => {
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

  it('refused earlier emits its event to a later subscription', async () => {
    const { world, changes } = await asking();
    await world.instrument('Y', 'unknown');
    expect(changes).toEqual([]);
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['Y', 'A'] });
    await eventLoopTurns();
    expect(changes).toMatchObject([{ key: 'Y', state: 'unknown' }]);
  });

  it('ignores the status of an older lease', async () => {
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

  it('that was resubscribed is quiet_market until its next price', async () => {
    const { world } = await asking();
    await world.pass(2_100);
    await world.instrument('A', 'subscribed');
    await world.pass(1_000);
    await world.price('X');
    expect(world.required('A', patient)).toBe('quiet_market');
  });
});

it('status channels emit no events unless the application subscribes to them', async () => {
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
