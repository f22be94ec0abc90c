// A slow handler: conflation, overflow gaps, and "slow" reports.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHAT, FILLS, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

describe('a slow handler', () => {
  it('on a state channel receives the newest message of each key with its conflated count', async () => {
    const harness = new PubSubHarness();
    const gate = deferred();
    const received: unknown[] = [];
    harness.subscriber.subscribe(PRICES, ({ data, conflated }) => {
      received.push([data.symbol, data.price, conflated]);
      return received.length === 1 ? gate.promise : undefined;
    });
    await harness.subscriber.startListening();
    await harness.publishPrices(['A', 1], ['A', 2], ['B', 1], ['A', 3]);
    await eventLoopTurns();
    gate.resolve();
    await eventLoopTurns();
    expect(received).toEqual([
      ['A', 1, undefined],
      ['B', 1, undefined],
      ['A', 3, 1],
    ]);
    expect(harness.subscriber.status(PRICES)).toMatchObject({
      received: 4,
      delivered: 3,
      conflated: 1,
      lost: 0,
    });
  });

  it('on an event channel receives every message', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    for (let n = 1; n <= 5; n++) {
      await harness.publishNotes(FILLS, n);
      await eventLoopTurns();
    }
    for (let n = 1; n <= 5; n++) await slow.finish();
    expect(slow.numbers()).toEqual([1, 2, 3, 4, 5]);
  });

  it('above its queueLimit loses the oldest messages and reports their range before the next one', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    const name = 'slow';
    harness.subscriber.subscribe(FILLS, slow.handler, { queueLimit: 2, name });
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3, 4, 5, 6);
    const epoch = harness.subscriber.status(FILLS)?.position?.epoch;
    expect(harness.gaps).toEqual([]);
    await slow.finish();
    expect(harness.gaps).toEqual([
      {
        type: 'gap',
        channel: 'FILLS',
        subscription: name,
        cause: 'overflow',
        epoch,
        from: 2,
        to: 4,
        lost: 3,
        repaired: false,
      },
    ]);
    await slow.finish();
    await slow.finish();
    expect(slow.numbers()).toEqual([1, 5, 6]);
    expect(harness.subscriber.status(FILLS)).toMatchObject({ lost: 3, delivered: 3 });
  });

  it('loses only messages that pass its filter', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler, {
      queueLimit: 1,
      where: ({ data }) => data.n % 2 === 1,
    });
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3, 4, 5, 6, 7);
    await slow.finish();
    expect(harness.gaps).toMatchObject([{ from: 3, to: 5, lost: 2 }]);
    expect(slow.numbers()).toEqual([1, 7]);
  });

  it('on a plain channel gets a gap with a count and no range', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(CHAT, slow.handler, { queueLimit: 1 });
    await harness.subscriber.startListening();
    await harness.publishNotes(CHAT, 1, 2, 3, 4);
    await slow.finish();
    expect(harness.gaps).toMatchObject([
      { cause: 'overflow', epoch: undefined, from: undefined, to: undefined, lost: 2 },
    ]);
    expect(slow.numbers()).toEqual([1, 4]);
  });

  it('yields to the event loop after 10 ms of handling and continues', async () => {
    const harness = new PubSubHarness();
    const received: number[] = [];
    let turn = 0;
    const turnOf: number[] = [];
    const count = () => {
      turn++;
      if (turn < 50) setImmediate(count);
    };
    harness.subscriber.subscribe(FILLS, ({ data }) => {
      received.push(data.n);
      turnOf.push(turn);
      // The handler takes 6 ms.
      void harness.clock.advance(6);
    });
    await harness.subscriber.startListening();
    await eventLoopTurns();
    count();
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => harness.publisher.publish(FILLS, { n })));
    await eventLoopTurns(10);
    expect(received).toEqual([1, 2, 3, 4, 5, 6]);
    // Two calls take more than 10 ms; then the event loop gets its turn.
    const [first, , third, , fifth] = turnOf as [number, number, number, number, number];
    expect(turnOf).toEqual([first, first, third, third, fifth, fifth]);
    expect(third).toBeGreaterThan(first);
    expect(fifth).toBeGreaterThan(third);
  });
});

it('messages conflated into a dropped one are reported as lost with it', async () => {
  const harness = new PubSubHarness();
  const { subscriber, statuses, clock } = harness;
  const slow = slowHandler();
  subscriber.subscribe(PRICES, slow.handler as never, { queueLimit: 1 });
  await subscriber.startListening();
  await eventLoopTurns(2);
  await harness.publishPrice('A', 1);
  await eventLoopTurns(2);
  for (const price of [2, 3, 4]) {
    await harness.publishPrice('B', price);
    await eventLoopTurns(2);
  }
  await harness.publishPrice('C', 5);
  await eventLoopTurns(2);
  await slow.finish();
  await clock.advance(0);
  await eventLoopTurns(2);
  expect(slow.started.map(({ seq }) => seq)).toEqual([1, 5]);
  expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([
    { cause: 'overflow', from: 2, to: 4, lost: 3, repaired: false },
  ]);
  expect(subscriber.status(PRICES)).toMatchObject({ lost: 3, gaps: 1 });
});

describe('slow', () => {
  it('is reported once if messages wait for a second, and again after the handler caught up', async () => {
    const { publisher, subscriber, clock, statuses } = new PubSubHarness();
    let finish: () => void = () => {};
    subscriber.subscribe(
      FILLS,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await subscriber.startListening();
    await eventLoopTurns(2);
    const slow = () => statuses.filter(({ type }) => type === 'slow');
    for (let episode = 1; episode <= 2; episode++) {
      for (const n of [1, 2]) await publisher.publish(FILLS, { n }, { type: 'note' });
      await eventLoopTurns(2);
      await clock.advance(3_500);
      expect(slow().length).toBe(episode);
      expect(slow().at(-1)).toMatchObject({ type: 'slow', channel: FILLS.name, cause: 'handler' });
      expect(subscriber.status(FILLS)?.behindMs).toBeGreaterThanOrEqual(3_500);
      for (let left = 2; left > 0; left--) {
        finish();
        await eventLoopTurns(2);
      }
      await clock.advance(1_000);
      expect(subscriber.status(FILLS)?.behindMs).toBe(0);
    }
  });

  it('with cause "blocked" is reported if the event loop was blocked', async () => {
    const { subscriber, clock, statuses } = new PubSubHarness();
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    await eventLoopTurns(2);
    await clock.advance(900);
    // Time passes and no timer runs, as in a blocked process.
    clock.skip(5_000);
    await clock.advance(0);
    expect(statuses.filter(({ type }) => type === 'slow')).toEqual([
      { type: 'slow', channel: FILLS.name, cause: 'blocked', behindMs: 4_900 },
    ]);
  });
});
