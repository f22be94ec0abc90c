// tap(): what an observer sees beside the handlers, without affecting the handlers.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../channel/channel.ts';
import type { Observed } from '../../subscribe/tap.ts';
import {
  ALERTS,
  CHAT,
  COMMANDS,
  errorWith,
  FILLS,
  frameOf,
  GATEWAY_PRICES,
  PRICES,
} from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

function tapped<C extends Channel>(harness: PubSubHarness, channel: C) {
  const seen: Observed<C>[] = [];
  const stop = harness.subscriber.tap(channel, (observed) => seen.push(observed));
  return { seen, stop };
}

describe('a tap sees', () => {
  it('messages that types, keys and where filter out, each with its position', async () => {
    const harness = new PubSubHarness();
    const handled: unknown[] = [];
    const alerts = tapped(harness, ALERTS);
    const prices = tapped(harness, PRICES);
    harness.subscriber.subscribe(ALERTS, (message) => handled.push(message), { types: ['alarm'] });
    harness.subscriber.subscribe(PRICES, (message) => handled.push(message), { keys: ['B'] });
    harness.subscriber.subscribe(PRICES, (message) => handled.push(message), { where: () => false });
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1);
    await harness.publishPrice('A', 2);
    expect(handled).toEqual([]);
    const { epoch = 0 } = alerts.seen[0]?.message ?? {};
    expect(alerts.seen).toMatchObject([
      { message: { data: { n: 1 } }, position: { epoch, seq: 1 }, delivery: 'live' },
    ]);
    expect(prices.seen).toMatchObject([
      { message: { data: { symbol: 'A', price: 2 } }, position: { seq: 1 }, delivery: 'live' },
    ]);
  });

  it('each message before its handler, also those conflated for a slow handler', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ symbol: fc.constantFrom('A', 'B'), price: fc.nat() }), { minLength: 3 }),
        async (ticks) => {
          const harness = new PubSubHarness();
          const handled: unknown[] = [];
          harness.subscriber.subscribe(PRICES, ({ data }) => {
            handled.push(data);
            return new Promise(() => {});
          });
          const { seen } = tapped(harness, PRICES);
          await harness.subscriber.startListening();
          for (const { symbol, price } of ticks) await harness.publishPrice(symbol, price);
          expect(seen.map(({ message }) => message.data)).toEqual(ticks);
          expect(handled).toEqual(ticks.slice(0, 1));
        },
      ),
      { seed: 20261129, numRuns: 25 },
    );
  });

  it('messages repaired from history as "recovered"', async () => {
    const harness = new PubSubHarness();
    const { seen } = tapped(harness, FILLS);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1);
    harness.connection.subscribing.disconnect();
    await harness.publishNotes(FILLS, 2, 3);
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 4);
    const ways = seen.map(({ position, delivery }) => [position?.seq, delivery]);
    expect(ways).toEqual([
      [1, 'live'],
      [2, 'recovered'],
      [3, 'recovered'],
      [4, 'live'],
    ]);
    expect(harness.gaps).toMatchObject([{ repaired: true }]);
  });

  it('last values as "snapshot", before and after other taps', async () => {
    const harness = new PubSubHarness();
    await harness.publishPrice('A', 1);
    const first = tapped(harness, PRICES);
    await harness.subscriber.startListening();
    await eventLoopTurns();
    const late = tapped(harness, PRICES);
    await eventLoopTurns();
    const snapshot = { message: { data: { price: 1 }, snapshot: true }, delivery: 'snapshot' };
    expect(first.seen).toMatchObject([snapshot]);
    expect(late.seen).toMatchObject([snapshot]);
    await harness.publishPrice('A', 2);
    expect(first.seen[1]).toMatchObject({ message: { data: { price: 2 } }, delivery: 'live' });
    expect(first.seen[1]?.message).not.toHaveProperty('snapshot');
  });

  it('no snapshot flag if only a newer subscription receives the snapshot', async () => {
    const harness = new PubSubHarness();
    const { seen } = tapped(harness, PRICES);
    await harness.subscriber.startListening();
    await harness.publishPrice('A', 1);
    const handled: unknown[] = [];
    harness.subscriber.subscribe(PRICES, (message) => handled.push(message));
    await eventLoopTurns();
    expect(handled).toMatchObject([{ snapshot: true }]);
    expect(seen).toMatchObject([{ delivery: 'live' }]);
    expect(seen[0]?.message).not.toHaveProperty('snapshot');
  });

  it('messages without a position and duplicate commands, but no invalid message', async () => {
    const harness = new PubSubHarness();
    const chat = tapped(harness, CHAT);
    const commands = tapped(harness, COMMANDS);
    const handled: unknown[] = [];
    harness.subscriber.subscribe(COMMANDS, (message) => handled.push(message));
    await harness.subscriber.startListening();
    await harness.publishNotes(CHAT, 1);
    expect(chat.seen).toMatchObject([{ message: { data: { n: 1 } }, position: undefined, delivery: 'live' }]);
    const command = { message_type: 'note', data: { n: 1 }, timestamp: 1, sender: 'test', id: 'once' };
    for (const data of [{ n: 1 }, { n: 1 }, { n: 'one' }])
      harness.server.publishRaw(COMMANDS.name, frameOf({ ...command, data }));
    await eventLoopTurns();
    expect(commands.seen).toHaveLength(2);
    expect(handled).toHaveLength(1);
    expect(harness.invalid).toHaveLength(1);
  });
});

describe('a tap', () => {
  it('subscribes to its channel before or after startListening(), and unsubscribes when it ends', async () => {
    const harness = new PubSubHarness();
    const early = tapped(harness, ALERTS);
    await harness.subscriber.startListening();
    const late = tapped(harness, FILLS);
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 1);
    await harness.publishNotes(FILLS, 2);
    expect([...early.seen, ...late.seen].map(({ message }) => message.data.n)).toEqual([1, 2]);
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ received: 1, delivered: 0, queueDepth: 0 });
    for (const { stop } of [early, early, late]) stop();
    await harness.publishNotes(ALERTS, 3);
    expect(early.seen).toHaveLength(1);
    expect(harness.subscriber.status(ALERTS)).toBeUndefined();
  });

  it('that ends leaves other subscriptions and taps active', async () => {
    const harness = new PubSubHarness();
    const first = tapped(harness, ALERTS);
    const second = tapped(harness, ALERTS);
    const unsubscribe = harness.subscriber.subscribe(ALERTS, () => {});
    await harness.subscriber.startListening();
    first.stop();
    unsubscribe();
    await harness.publishNotes(ALERTS, 1);
    expect(first.seen).toEqual([]);
    expect(second.seen).toHaveLength(1);
  });

  it('declares no keys and stores no latest values', async () => {
    const harness = new PubSubHarness();
    const { seen } = tapped(harness, GATEWAY_PRICES);
    await harness.subscriber.startListening();
    await harness.publisher.publish(GATEWAY_PRICES, { symbol: 'A' });
    await eventLoopTurns();
    expect(seen).toHaveLength(1);
    expect(harness.subscriber.latest(GATEWAY_PRICES, 'A').message).toBeUndefined();
    expect(await harness.publisher.wanted(GATEWAY_PRICES)).toEqual(new Map());
  });

  it('that throws or rejects is reported as handler_error, and delivery continues', async () => {
    const harness = new PubSubHarness();
    const failure = new Error('mine');
    harness.subscriber.tap(ALERTS, () => {
      throw failure;
    });
    harness.subscriber.tap(ALERTS, async () => {
      throw failure;
    });
    const { seen } = tapped(harness, ALERTS);
    const handled: number[] = [];
    harness.subscriber.subscribe(ALERTS, ({ data }) => handled.push(data.n));
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1, 2);
    await eventLoopTurns();
    expect(handled).toEqual([1, 2]);
    expect(seen).toHaveLength(2);
    expect(harness.handlerErrors.map(({ error }) => error)).toEqual([failure, failure, failure, failure]);
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ handlerErrors: 4, invalid: 0, delivered: 2 });
  });

  it('is not awaited: its promise blocks neither a handler nor close()', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    const never = deferred();
    harness.subscriber.tap(FILLS, () => never.promise);
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2);
    await slow.finish();
    expect(slow.numbers()).toEqual([1, 2]);
    await slow.finish();
    await harness.subscriber.close();
  });

  it('throws TICKBUS_INVALID_OPTION for a non-function, and TICKBUS_CLOSED after close()', async () => {
    const { subscriber } = new PubSubHarness();
    const tapping = (observer: unknown) => expect(() => subscriber.tap(ALERTS, observer as () => void));
    tapping(undefined).toThrow(errorWith('TICKBUS_INVALID_OPTION'));
    expect(subscriber.status(ALERTS)).toBeUndefined();
    await subscriber.close();
    tapping(() => {}).toThrow(errorWith('TICKBUS_CLOSED'));
  });
});
