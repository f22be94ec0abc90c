// Whether a bot may believe a price: fresh or quiet, by which bounds, and never fresh unproved.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { patient, World } from './freshness.fixture.ts';

const { PRICE_DATA } = CHANNELS;

describe('a price', () => {
  it('is fresh when it has just come', async () => {
    const world = await World.running();
    expect(world.latest('A')).toMatchObject({
      message: { data: { symbol: 'A', price: 1 } },
      verdict: 'fresh',
      changedAgoMs: 0,
      confirmedAgoMs: 0,
      errorMs: 0,
      instrument: undefined,
    });
    expect(world.required()).toBe(1);
  });

  it('is told with ages in whole milliseconds, which are never younger than it is', async () => {
    const world = await World.running();
    const told: { changedAgoMs: number; confirmedAgoMs: number }[] = [];
    world.bot.on('verdict', (change) => told.push(change));
    await world.pass(200);
    await world.price('B');
    world.block(0.25);
    expect(world.latest('A')).toMatchObject({ changedAgoMs: 201, confirmedAgoMs: 1 });
    const stale = () => world.bot.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 100 });
    expect(stale).toThrow(expect.objectContaining({ changedAgoMs: 201, confirmedAgoMs: 1 }));
    expect(stale).toThrow('The value has not changed for 201 ms.');
    await world.pass(100);
    const ages = told.flatMap(({ changedAgoMs, confirmedAgoMs }) => [changedAgoMs, confirmedAgoMs]);
    expect(ages.length).toBeGreaterThanOrEqual(4);
    expect(ages.filter((age) => !Number.isInteger(age))).toEqual([]);
  });

  it('is fresh already in its own handler, and as a snapshot to a bot that comes late', async () => {
    const world = new World();
    await world.heartbeat();
    await world.price('A', 7);
    const seen: (number | string)[] = [];
    world.bot.subscribe(PRICE_DATA, () => seen.push(world.required()));
    await world.bot.startListening();
    await eventLoopTurns();
    await world.price('A', 8);
    expect(seen).toEqual([7, 8]);
  });

  it('is quiet_market when its key is quiet for longer than it may be, on a living feed', async () => {
    const world = await World.running();
    await world.pass(2_000);
    expect(world.required()).toBe(1);
    await world.price('B');
    await world.pass(50);
    expect([world.required(), world.required('A', patient), world.required('B')]).toEqual([
      'quiet_market',
      1,
      1,
    ]);
    expect(world.latest('A')).toMatchObject({ changedAgoMs: 2_050, confirmedAgoMs: 50 });
  });

  it('may be quiet for as long as maxQuietMs while frames come, and no longer', async () => {
    const world = await World.running();
    for (let second = 0; second < 59; second++) {
      await world.price('B');
      await world.pass(1_000);
      expect(world.required('A', patient)).toBe(1);
    }
    await world.price('B');
    await world.pass(1_050);
    expect(world.required('A', patient)).toBe('quiet_market');
  });

  it('is not believed to be quiet when nothing at all comes from the feed for maxAgeMs', async () => {
    const world = await World.running();
    await world.pass(2_000);
    expect(world.required('A', patient)).toBe(1);
    await world.pass(50);
    expect(world.required('A', patient)).toBe('quiet_market');
    // The broker says something that is no price.
    world.lastFrameAt = world.serverClock.monotonic();
    await world.pass(1_000);
    expect(world.required('A', patient)).toBe(1);
  });

  it('from before the feed was last interrupted is not believed to be quiet', async () => {
    const world = await World.running();
    await world.pass(500);
    world.status = { state: 'connecting' };
    await world.heartbeat();
    expect(world.required('A', patient)).toBe('feed_down');
    world.status = { state: 'live' };
    world.liveSince = world.serverClock.monotonic();
    await world.heartbeat();
    expect(world.required('A', patient)).toBe(1);
    await world.pass(2_000);
    await world.price('B');
    expect(world.required('A', patient)).toBe('quiet_market');
    await world.price('A', 3);
    await world.pass(1_500);
    await world.price('B');
    await world.pass(1_000);
    expect(world.required('A', patient)).toBe(3);
  });

  it('takes its bounds from the call, the subscriptions, the channel, in this order', async () => {
    const world = new World();
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'B'], maxAgeMs: 1_000, maxQuietMs: 30_000 });
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['B'], maxAgeMs: 2_000, maxQuietMs: 4_000 });
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['C'] });
    await world.heartbeat();
    await world.bot.startListening();
    for (const symbol of ['A', 'B', 'C']) await world.price(symbol);
    for (let second = 0; second < 5; second++) {
      await world.pass(900);
      await world.price('A0');
      await world.heartbeat();
    }
    expect(['A', 'B', 'C'].map((symbol) => world.verdict(symbol, {}))).toEqual([
      'fresh',
      'quiet_market',
      'fresh',
    ]);
    expect(world.verdict('A', { maxQuietMs: 4_000 })).toBe('quiet_market');
    expect(world.verdict('B', { maxAgeMs: 5_000 })).toBe('fresh');
    await world.pass(600);
    expect(world.verdict('C', {})).toBe('quiet_market');
  });

  it('is not there where no subscription asks for it any more', async () => {
    const world = new World();
    const end = world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A'] });
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['B'] });
    await world.heartbeat();
    await world.bot.startListening();
    await world.price('A');
    expect(world.required()).toBe(1);
    end();
    expect([world.latest('A').message, world.required('A', patient)]).toEqual([undefined, 'quiet_market']);
  });

  it('that is invalid takes the one before it along', async () => {
    const world = await World.running();
    world.server.publish(
      PRICE_DATA,
      [{ json: '{"message_type":"price","data":{"symbol":"A","price":"x"},"timestamp":1,"sender":"s"}' }],
      undefined,
    );
    await eventLoopTurns();
    expect([world.latest('A').message, world.required('A', patient)]).toEqual([undefined, 'quiet_market']);
  });

  it('of a stranger, without a number, does not count', async () => {
    const world = await World.running();
    const json =
      '{"message_type":"price","data":{"symbol":"Z","price":1,"timestamp":1},"timestamp":1,"sender":"s","at":1798761600000}';
    world.server.publishRaw('PRICE_DATA', new TextEncoder().encode(json));
    await eventLoopTurns();
    expect(world.required('Z')).toBe('quiet_market');
  });
});
