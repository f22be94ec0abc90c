// A subscriber declares the keys of its subscriptions, renews them, and withdraws them when they end.

import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { MAX_SUBSCRIBER_KEYS } from '../../channel/limits.ts';
import { SubscriberDemand } from '../../demand/subscriber-demand.ts';
import { TickbusError } from '../../errors.ts';
import { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { DemandOperations } from '../../transport/demand-port.ts';
import { GATEWAY_PRICES, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

function setUp() {
  const harness = new PubSubHarness();
  const wanted = async () => Object.fromEntries(await harness.publisher.wanted(GATEWAY_PRICES));
  const subscribeTo = (...keys: string[]) => harness.subscriber.subscribe(GATEWAY_PRICES, () => {}, { keys });
  return { ...harness, wanted, subscribeTo };
}

describe('a subscriber with keys', () => {
  it('declares the keys of its subscriptions from startListening() on', async () => {
    const { subscriber, wanted, subscribeTo } = setUp();
    subscribeTo('A', 'B');
    expect(await wanted()).toEqual({});
    await subscriber.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 1, B: 1 });
    subscribeTo('B', 'C');
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 1, B: 1, C: 1 });
  });

  it('declares nothing for a subscription without keys, or on a channel without a gateway', async () => {
    const { subscriber, publisher, server, wanted } = setUp();
    subscriber.subscribe(GATEWAY_PRICES, () => {});
    subscriber.subscribe(PRICES, () => {}, { keys: ['A'] });
    await subscriber.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({});
    expect(server.wanted(PRICES.name).size).toBe(0);
    expect(await errorOf(publisher.wanted(PRICES))).toMatchObject({ code: 'TICKBUS_INVALID_OPTION' });
  });

  it('withdraws a key when its last subscription ends', async () => {
    const { subscriber, wanted, subscribeTo } = setUp();
    const end = subscribeTo('A', 'B');
    subscribeTo('B');
    await subscriber.startListening();
    end();
    end();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ B: 1 });
  });

  it('withdraws every key with the last subscription of the channel, and on close()', async () => {
    const { subscriber, wanted, subscribeTo } = setUp();
    const end = subscribeTo('A');
    await subscriber.startListening();
    await eventLoopTurns();
    end();
    await eventLoopTurns();
    expect(await wanted()).toEqual({});
    subscribeTo('B');
    await eventLoopTurns();
    expect(await wanted()).toEqual({ B: 1 });
    await subscriber.close();
    expect(await wanted()).toEqual({});
  });

  it('renews its keys periodically, after a reconnect and after the server loses its memory', async () => {
    const { subscriber, connection, server, clock, wanted, subscribeTo } = setUp();
    subscribeTo('A');
    await subscriber.startListening();
    await clock.advance(120_000);
    expect(await wanted()).toEqual({ A: 1 });
    server.flush();
    await clock.advance(5_001);
    expect(await wanted()).toEqual({ A: 1 });
    connection.subscribing.disconnect();
    await clock.advance(15_001);
    expect(await wanted()).toEqual({});
    connection.subscribing.reconnect();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 1 });
  });

  it('counts once per key, however many subscriptions it has; two subscribers count twice', async () => {
    const { connection, subscriber, wanted, subscribeTo, clock, logger } = setUp();
    subscribeTo('A');
    subscribeTo('A');
    await subscriber.startListening();
    const other = new SubscriberBase({ transport: connection.publishing, clock, logger });
    other.subscribe(GATEWAY_PRICES, () => {}, { keys: ['A'] });
    await other.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 2 });
  });
});

it('SubscriberDemand reports TICKBUS_DENIED once and declares again only after the next connection', async () => {
  const { clock } = new PubSubHarness();
  const refusals: TickbusError[] = [];
  let calls = 0;
  const operations: DemandOperations = {
    declare: async () => {
      calls++;
      throw new TickbusError('TICKBUS_DENIED', 'No.');
    },
    withdraw: async () => {},
    wanted: async () => new Map(),
  };
  const demand = new SubscriberDemand({
    operations,
    clock,
    subscriberId: 'me',
    onRefused: (error) => refusals.push(error),
  });
  demand.add(['A']);
  demand.start();
  await eventLoopTurns();
  demand.add(['B']);
  await clock.advance(60_000);
  expect([calls, refusals.length]).toEqual([1, 1]);
  demand.start();
  await eventLoopTurns();
  expect([calls, refusals.length]).toEqual([2, 1]);
  await demand.close();
});

it('SubscriberDemand reports any other failure once for each code, and declares again at the next renewal', async () => {
  const { clock } = new PubSubHarness();
  const refusals: TickbusError[] = [];
  const failures: unknown[] = [
    new RangeError('Maximum call stack size exceeded'),
    new TickbusError('TICKBUS_LIMIT_EXCEEDED', 'Full.'),
    new TickbusError('TICKBUS_LIMIT_EXCEEDED', 'Full.'),
    new TickbusError('TICKBUS_NOT_CONNECTED', 'Down.'),
  ];
  let calls = 0;
  const operations: DemandOperations = {
    declare: async () => {
      const failure = failures[calls++];
      if (failure !== undefined) throw failure;
    },
    withdraw: async () => {},
    wanted: async () => new Map(),
  };
  const demand = new SubscriberDemand({
    operations,
    clock,
    subscriberId: 'me',
    onRefused: (error) => refusals.push(error),
  });
  demand.add(['A']);
  demand.start();
  await clock.advance(60_000);
  expect(calls).toBeGreaterThan(failures.length);
  expect(refusals.map(({ code }) => code)).toEqual(['TICKBUS_SERVER_ERROR', 'TICKBUS_LIMIT_EXCEEDED']);
  expect(refusals[0]?.cause).toBe(failures[0]);
  await demand.close();
});

it('subscribe refuses more keys than a subscriber can request, and leaves nothing behind', async () => {
  const { subscriber, wanted, subscribeTo } = setUp();
  await subscriber.startListening();
  const keys = Array.from({ length: MAX_SUBSCRIBER_KEYS + 1 }, (_, index) => `S${index}`);
  expect(() => subscribeTo(...keys)).toThrow(
    expect.objectContaining({ code: 'TICKBUS_LIMIT_EXCEEDED', field: 'keys', retryable: false }),
  );
  expect(subscriber.status(GATEWAY_PRICES)).toBeUndefined();
  subscribeTo(...keys.slice(1));
  subscribeTo('S1', 'S2');
  expect(() => subscribeTo('S0', 'S1')).toThrow(expect.objectContaining({ code: 'TICKBUS_LIMIT_EXCEEDED' }));
  await eventLoopTurns();
  expect(await wanted()).not.toHaveProperty('S0');
  expect(Object.keys(await wanted())).toHaveLength(MAX_SUBSCRIBER_KEYS);
});
