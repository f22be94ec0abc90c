// What subscriptions want is declared while they want it, renewed, withdrawn, and forgotten when they die.

import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { SubscriberDemand } from '../../demand/subscriber-demand.ts';
import { TickbusError } from '../../errors.ts';
import { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { DemandOperations } from '../../transport/port.ts';
import { Bench, PRICES } from '../library.fixture.ts';

const FED = defineChannel('FED', {
  kind: 'state',
  key: 'symbol',
  gateway: true,
  messages: { tick: z.object({ symbol: z.string() }) },
});

function bench() {
  const made = new Bench();
  const wanted = async () => Object.fromEntries(await made.publisher.wanted(FED));
  const want = (...keys: string[]) => made.subscriber.subscribe(FED, () => {}, { keys });
  return { ...made, made, wanted, want };
}

describe('a subscriber', () => {
  it('declares what its subscriptions want, from startListening() on', async () => {
    const { subscriber, wanted, want } = bench();
    want('A', 'B');
    expect(await wanted()).toEqual({});
    await subscriber.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 1, B: 1 });
    want('B', 'C');
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 1, B: 1, C: 1 });
  });

  it('declares nothing for a subscription to everything, nor on a channel without a gateway', async () => {
    const { subscriber, publisher, server, wanted } = bench();
    subscriber.subscribe(FED, () => {});
    subscriber.subscribe(PRICES, () => {}, { keys: ['A'] });
    await subscriber.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({});
    expect(server.wanted(PRICES.name).size).toBe(0);
    expect(await errorOf(publisher.wanted(PRICES))).toMatchObject({ code: 'TICKBUS_INVALID_OPTION' });
  });

  it('withdraws a key when the last subscription to it has ended', async () => {
    const { subscriber, wanted, want } = bench();
    const end = want('A', 'B');
    want('B');
    await subscriber.startListening();
    end();
    end();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ B: 1 });
  });

  it('withdraws everything with the last subscription of the channel, and when it is closed', async () => {
    const { subscriber, wanted, want } = bench();
    const end = want('A');
    await subscriber.startListening();
    await eventLoopTurns();
    end();
    await eventLoopTurns();
    expect(await wanted()).toEqual({});
    want('B');
    await eventLoopTurns();
    expect(await wanted()).toEqual({ B: 1 });
    await subscriber.close();
    expect(await wanted()).toEqual({});
  });

  it('declares again while it lives, and after a reconnection or a loss of memory', async () => {
    const { subscriber, connection, server, clock, wanted, want } = bench();
    want('A');
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

  it('is not counted twice, and two subscribers are', async () => {
    const { connection, subscriber, wanted, want, clock, logger } = bench();
    want('A');
    want('A');
    await subscriber.startListening();
    const other = new SubscriberBase({ transport: connection.publishing, clock, logger });
    other.subscribe(FED, () => {}, { keys: ['A'] });
    await other.startListening();
    await eventLoopTurns();
    expect(await wanted()).toEqual({ A: 2 });
  });
});

it('a server that does not allow it is told of once, and asked again on the next connection', async () => {
  const { clock } = new Bench();
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
