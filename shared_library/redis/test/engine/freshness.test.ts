// Whether a bot may believe its prices: every verdict as it comes about, and that nothing unproved is ever called fresh.

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CHANNELS } from '../../constants.ts';
import { defineChannel } from '../../core/channel.ts';
import type { VerdictChange } from '../../engine/verdict-watch.ts';
import { TickbusError } from '../../errors.ts';
import type { InstrumentChange } from '../../subscriber.ts';
import { errorOf, PRICES, turns } from '../helpers.ts';
import { World } from './freshness-world.ts';

const { PRICE_DATA } = CHANNELS;
const patient = { maxAgeMs: 2_000, maxQuietMs: 60_000 };

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

  it('is fresh already in its own handler, and as a snapshot to a bot that comes late', async () => {
    const world = new World();
    await world.heartbeat();
    await world.price('A', 7);
    const seen: (number | string)[] = [];
    world.bot.subscribe(PRICE_DATA, () => seen.push(world.required()));
    await world.bot.startListening();
    await turns();
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
    await turns();
    expect([world.latest('A').message, world.required('A', patient)]).toEqual([undefined, 'quiet_market']);
  });

  it('of a stranger, without a number, does not count', async () => {
    const world = await World.running();
    const json =
      '{"message_type":"price","data":{"symbol":"Z","price":1,"timestamp":1},"timestamp":1,"sender":"s","at":1798761600000}';
    world.server.publishRaw('PRICE_DATA', new TextEncoder().encode(json));
    await turns();
    expect(world.required('Z')).toBe('quiet_market');
  });
});

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
    world.status = { state: 'live', lease: 20 };
    await world.heartbeat();
    world.status = { state: 'stopped', lease: 19 };
    await world.heartbeat();
    expect(world.required()).toBe(1);
    world.status = { state: 'stopped', lease: 21 };
    await world.heartbeat();
    expect(world.required()).toBe('gateway_down');
  });
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
        reason: `The feed sim does not deliver it (${state}): Symbol limit.`,
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
    await turns();
    expect(changes).toMatchObject([{ key: 'Y', state: 'unknown' }]);
  });

  it('is not bound by what an older gateway said', async () => {
    const { world, changes } = await asking();
    await world.instrument('X', 'refused', { lease: 5 });
    world.status = { state: 'live', lease: 6 };
    await world.heartbeat();
    await world.price('X');
    expect([world.required('X'), changes.length]).toEqual([1, 1]);
    await world.instrument('X', 'unknown', { lease: 5 });
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

describe('the link', () => {
  it('that is down is told at once, and is recovering until everything is caught up with', async () => {
    const world = await World.running();
    world.link.disconnect();
    expect(world.required()).toBe('link_down');
    world.link.reconnect();
    expect(world.required()).toBe('recovering');
    await turns();
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

  it('whose head cannot be confirmed is down after 2 s, though nothing says so', async () => {
    const world = await World.running();
    // Reads get no answer any more, and prices and heartbeats still come.
    world.link.subscribing.read = () => new Promise(() => {});
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
    await turns();
    expect(world.logger.lines.filter(({ message }) => message.includes('gateways tell'))).toHaveLength(1);
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
  await turns();
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

describe('on("verdict")', () => {
  it('tells each turn of each key by itself, and nothing when nobody listens', async () => {
    const world = await World.running();
    const changes: VerdictChange[] = [];
    const stop = world.bot.on('verdict', (change) => changes.push(change));
    const told = () => changes.splice(0).map(({ key, was, verdict }) => `${key} ${was} ${verdict}`);
    await world.pass(100);
    expect(told()).toEqual(['A undefined fresh']);
    await world.pass(4_800);
    expect(told()).toEqual([]);
    await world.pass(200);
    expect(told()).toEqual(['A fresh quiet_market']);
    world.isAlive = false;
    await world.pass(3_100);
    expect(told()).toEqual(['A quiet_market gateway_down']);
    world.link.disconnect();
    await world.pass(100);
    expect(told()).toEqual(['A gateway_down link_down']);
    world.link.reconnect();
    await world.heartbeat();
    await world.price('A');
    await world.pass(100);
    expect(told()).toEqual(['A link_down fresh']);
    stop();
    stop();
    await world.pass(10_000);
    expect(told()).toEqual([]);
  });

  it('judges by the bounds of the subscriptions, keys that never came too, and says goodbye when it closes', async () => {
    const world = new World();
    const changes: string[] = [];
    world.bot.on('verdict', ({ key, verdict }) => changes.push(`${key} ${verdict}`));
    world.bot.subscribe(PRICE_DATA, () => {}, { keys: ['A', 'N'], maxAgeMs: 500 });
    await world.heartbeat();
    await world.bot.startListening();
    await world.price('A');
    await world.pass(600);
    await world.bot.close();
    expect(changes).toEqual(['A fresh', 'N quiet_market', 'A quiet_market', 'A link_down', 'N link_down']);
  });

  it('contains a listener that throws, and survives one that closes', async () => {
    const world = await World.running();
    const heard: string[] = [];
    world.bot.on('verdict', () => {
      throw new Error('thrown by a listener');
    });
    world.bot.on('verdict', ({ verdict }) => {
      heard.push(verdict);
      void world.bot.close();
    });
    await world.pass(5_000);
    expect(heard).toEqual(['fresh', 'link_down']);
  });
});

describe('channels', () => {
  it('without a gateway are judged by age and link alone', async () => {
    const world = await World.running();
    world.bot.subscribe(PRICES, () => {});
    await turns();
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

  it('of other kinds, and bounds that are none, are refused', async () => {
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

  it('of their own can be fed by a gateway, too, and say how quiet they may be', async () => {
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
  it('reads nothing beside the channel, and calls nothing fresh', async () => {
    const world = await World.running({ freshness: false });
    expect(world.required()).toBe('gateway_down');
    expect(world.server.publishRaw('FEED_STATUS', new Uint8Array())).toBe(0);
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
  await turns();
  world.server.publishRaw('FEED_STATUS', new Uint8Array());
  await world.pass(3_000);
  expect(new Set(told)).toEqual(new Set(['PRICE_DATA']));
  const states: string[] = [];
  world.bot.subscribe(CHANNELS.FEED_STATUS, ({ data }) => states.push(data.state));
  await world.pass(1_000);
  expect(states.at(-1)).toBe('live');
});
