// Delivery guarantee under random losses: every message is delivered once and in order, or reported as lost.

import { eventLoopTurns } from '@tickbus/test-kit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Channel } from '../../channel/channel.ts';
import type { Gap } from '../../subscribe/status.ts';
import { ALERTS, Bench, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../library.fixture.ts';

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

interface Published {
  readonly n: number;
  readonly epoch: number;
  readonly seq: number;
}

/** Whether the gap reports that the message may be lost. */
function covers(gap: Gap, { epoch, seq }: Published): boolean {
  if (gap.repaired || gap.epoch !== epoch || gap.from === undefined) return false;
  return seq >= gap.from && (gap.to === undefined || seq <= gap.to);
}

async function run(channel: NoteChannel, steps: readonly { type: string; count?: number }[]) {
  const bench = new Bench();
  const { connection, subscriber, publisher, server, clock } = bench;
  const heard: { n: number; epoch: number | undefined; seq: number | undefined }[] = [];
  subscriber.subscribe(channel as typeof FILLS, ({ data, epoch, seq }) =>
    heard.push({ n: data.n, epoch, seq }),
  );
  await subscriber.startListening();
  await eventLoopTurns(2);
  const published: Published[] = [];
  const seen = new Set<number>();
  const look = () => seen.add(subscriber.status(channel)?.position?.epoch ?? 0);
  let losing = false;
  let n = 0;
  bench.link.loses = () => losing;
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
    look();
    for (let left = count; left > 0; left--) {
      const { position } = await publisher.publish(channel, { n: ++n }, { type: 'note' });
      if (position === undefined) throw new Error('A numbered channel gave no number.');
      published.push({ n, ...position });
      look();
    }
  }
  losing = false;
  connection.subscribing.reconnect();
  await eventLoopTurns();
  await clock.advance(1_000);
  await eventLoopTurns();
  look();
  // An epoch that the server began and forgot while no message of it arrived leaves no trace.
  const traceable = published.filter(({ epoch }) => seen.has(epoch));
  return { bench, heard: heard.filter((one) => one.n > 0), published: traceable };
}

it.each<[string, NoteChannel & Channel]>([
  ['with history', FILLS],
  ['without history', ALERTS],
  ['of commands', COMMANDS],
])('no message of a channel %s is lost silently, duplicated or out of order', async (_, channel) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const { bench, heard, published } = await run(channel, steps);
      const numbers = heard.map(({ n }) => n);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      const silent = published.filter(
        (message) => !numbers.includes(message.n) && !bench.gaps.some((gap) => covers(gap, message)),
      );
      expect(silent).toEqual([]);
      // Losses with a known end were not delivered and are counted exactly.
      const { lost, mode } = bench.subscriber.status(channel) ?? {};
      const counted = bench.gaps.reduce((sum, gap) => sum + (gap.lost ?? 0), 0);
      expect([lost, mode]).toEqual([counted, 'live']);
      expect(bench.invalid).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it('a state channel ends with the newest value of every key after random losses', async () => {
  const happening = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('A', 'B', 'C') },
    {
      weight: 6,
      arbitrary: fc.constantFrom('lose', 'pass', 'turn', 'second', 'disconnect', 'reconnect', 'subscribe'),
    },
    { weight: 1, arbitrary: fc.constant('flush') },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 40 }), async (steps) => {
      const bench = new Bench();
      const newest = new Map<string, number>();
      const handlers: Map<string, number>[] = [];
      const subscribe = () => {
        const latest = new Map<string, number>();
        handlers.push(latest);
        bench.subscriber.subscribe(PRICES, ({ data }) => latest.set(data.symbol, data.price));
      };
      let losing = false;
      bench.link.loses = () => losing;
      subscribe();
      await bench.subscriber.startListening();
      const actions: Record<string, () => unknown> = {
        lose: () => {
          losing = true;
        },
        pass: () => {
          losing = false;
        },
        turn: () => eventLoopTurns(2),
        second: () => bench.clock.advance(1_000),
        disconnect: () => bench.connection.subscribing.disconnect(),
        reconnect: () => bench.connection.subscribing.reconnect(),
        subscribe,
        flush: () => {
          bench.server.flush();
          newest.clear();
        },
      };
      for (const [price, what] of steps.entries()) {
        const action = actions[what];
        if (action !== undefined) await action();
        else {
          newest.set(what, price);
          await bench.price(what, price);
        }
      }
      losing = false;
      bench.connection.subscribing.reconnect();
      await eventLoopTurns();
      await bench.clock.advance(1_000);
      await eventLoopTurns();
      for (const latest of handlers)
        expect(Object.fromEntries(latest)).toMatchObject(Object.fromEntries(newest));
      expect(bench.invalid).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
