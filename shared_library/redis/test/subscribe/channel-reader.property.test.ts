// Delivery guarantee under random losses: every message is delivered once and in order, or reported as lost.

import { eventLoopTurns } from '@tickbus/test-kit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Channel } from '../../channel/channel.ts';
import type { Gap } from '../../subscribe/status.ts';
import { ALERTS, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

type NoteChannel = typeof FILLS | typeof ALERTS | typeof COMMANDS;

/** Steps of a run; after `lose` the link drops every message, until `pass`. */
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 14 }) }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'lose',
        'pass',
        'turn',
        'second',
        'disconnect',
        'reconnect',
        'plain',
        'subscribe',
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('flush' as const) }) },
);

interface PublishedNote {
  readonly n: number;
  readonly epoch: number;
  readonly seq: number;
}

/** Whether the gap reports that the message may be lost. */
function covers(gap: Gap, { epoch, seq }: PublishedNote): boolean {
  if (gap.repaired || gap.epoch !== epoch || gap.from === undefined) return false;
  return seq >= gap.from && (gap.to === undefined || seq <= gap.to);
}

async function run(channel: NoteChannel, steps: readonly { type: string; count?: number }[]) {
  const harness = new PubSubHarness();
  const { connection, subscriber, publisher, server, clock } = harness;
  const received: { n: number; epoch: number | undefined; seq: number | undefined }[] = [];
  subscriber.subscribe(channel as typeof FILLS, ({ data, epoch, seq }) =>
    received.push({ n: data.n, epoch, seq }),
  );
  await subscriber.startListening();
  await eventLoopTurns(2);
  const published: PublishedNote[] = [];
  const epochs = new Set<number>();
  const recordEpoch = () => epochs.add(subscriber.status(channel)?.position?.epoch ?? 0);
  let losing = false;
  let n = 0;
  harness.link.drops = () => losing;
  const actions: Record<string, () => unknown> = {
    lose: () => {
      losing = true;
    },
    pass: () => {
      losing = false;
    },
    turn: () => eventLoopTurns(2),
    second: () => clock.advance(1_000),
    disconnect: () => connection.subscribing.disconnect(),
    reconnect: () => connection.subscribing.reconnect(),
    plain: () => server.publishRaw(channel.name, frameOf(noteEnvelope(-1))),
    subscribe: () => subscriber.subscribe(channel as typeof FILLS, () => {}),
    flush: () => server.flush(),
  };
  for (const { type, count = 0 } of steps) {
    await actions[type]?.();
    recordEpoch();
    for (let left = count; left > 0; left--) {
      const { position } = await publisher.publish(channel, { n: ++n }, { type: 'note' });
      if (position === undefined) throw new Error('A numbered channel gave no number.');
      published.push({ n, ...position });
      recordEpoch();
    }
  }
  losing = false;
  connection.subscribing.reconnect();
  await eventLoopTurns();
  await clock.advance(1_000);
  await eventLoopTurns();
  recordEpoch();
  // The subscriber cannot notice an epoch that the server began and forgot before any message of that epoch arrived.
  const traceable = published.filter(({ epoch }) => epochs.has(epoch));
  return { harness, received: received.filter((one) => one.n > 0), published: traceable };
}

it.each<[string, NoteChannel & Channel]>([
  ['with history', FILLS],
  ['without history', ALERTS],
  ['of commands', COMMANDS],
])('no message of a channel %s is lost silently, duplicated or out of order', async (_, channel) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const { harness, received, published } = await run(channel, steps);
      const numbers = received.map(({ n }) => n);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const silent = published.filter(
        (message) => !numbers.includes(message.n) && !harness.gaps.some((gap) => covers(gap, message)),
      );
      expect(silent).toEqual([]);
      // The status counts the same losses as the gaps with a known end.
      const { lost, mode } = harness.subscriber.status(channel) ?? {};
      const counted = harness.gaps.reduce((sum, gap) => sum + (gap.lost ?? 0), 0);
      expect([lost, mode]).toEqual([counted, 'live']);
      expect(harness.invalid).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it('a state channel ends with the newest value of every key after random losses', async () => {
  const keyStep = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('A', 'B', 'C') },
    {
      weight: 6,
      arbitrary: fc.constantFrom('lose', 'pass', 'turn', 'second', 'disconnect', 'reconnect', 'subscribe'),
    },
    { weight: 1, arbitrary: fc.constant('flush') },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(keyStep, { minLength: 1, maxLength: 40 }), async (steps) => {
      const harness = new PubSubHarness();
      const newest = new Map<string, number>();
      const handlers: Map<string, number>[] = [];
      const subscribe = () => {
        const latest = new Map<string, number>();
        handlers.push(latest);
        harness.subscriber.subscribe(PRICES, ({ data }) => latest.set(data.symbol, data.price));
      };
      let losing = false;
      harness.link.drops = () => losing;
      subscribe();
      await harness.subscriber.startListening();
      const actions: Record<string, () => unknown> = {
        lose: () => {
          losing = true;
        },
        pass: () => {
          losing = false;
        },
        turn: () => eventLoopTurns(2),
        second: () => harness.clock.advance(1_000),
        disconnect: () => harness.connection.subscribing.disconnect(),
        reconnect: () => harness.connection.subscribing.reconnect(),
        subscribe,
        flush: () => {
          harness.server.flush();
          newest.clear();
        },
      };
      for (const [price, operation] of steps.entries()) {
        const action = actions[operation];
        if (action !== undefined) await action();
        else {
          newest.set(operation, price);
          await harness.publishPrice(operation, price);
        }
      }
      losing = false;
      harness.connection.subscribing.reconnect();
      await eventLoopTurns();
      await harness.clock.advance(1_000);
      await eventLoopTurns();
      for (const latest of handlers)
        expect(Object.fromEntries(latest)).toMatchObject(Object.fromEntries(newest));
      expect(harness.invalid).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
