// Delivery guarantee under random forged numbers: every real message is delivered once and in order, or reported lost.

import { eventLoopTurns } from '@tickbus/test-kit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Gap } from '../../subscribe/status.ts';
import type { Position } from '../../wire/position.ts';
import { ALERTS, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { subscribedTo } from './channel-reader.fixture.ts';

type Step =
  | { readonly type: 'publish' | 'copy' | 'ahead' | 'replay'; readonly count: number }
  | {
      readonly type: 'new epoch' | 'old epoch' | 'turn' | 'second' | 'pause' | 'cut' | 'subscribe' | 'lease';
    };

/** A forging step uses only what a client with PUBLISH on the channel can know: the head, and earlier frames. */
const step = (...forgeries: readonly ('copy' | 'ahead' | 'replay')[]): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constantFrom('publish' as const, ...forgeries),
        count: fc.integer({ min: 1, max: 12 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constantFrom(
          'new epoch',
          'old epoch',
          'turn',
          'second',
          'pause',
          'cut',
          'subscribe',
          'lease',
        ),
      }),
    },
  );

function covers(gap: Gap, { epoch, seq }: Position): boolean {
  if (gap.repaired || gap.epoch !== epoch || gap.from === undefined) return false;
  return seq >= gap.from && (gap.to === undefined || seq <= gap.to);
}

async function run(channel: typeof FILLS | typeof ALERTS | typeof COMMANDS, steps: readonly Step[]) {
  const { harness } = await subscribedTo(channel);
  const { clock, connection, server, subscriber, publisher } = harness;
  const received: number[] = [];
  subscriber.subscribe(channel as typeof FILLS, ({ data }) => received.push(data.n));
  await publisher.publish(channel, { n: 0 }, { type: 'note' });
  const frames: Uint8Array[] = [];
  server.subscribe(channel.name, (frame) => frames.push(frame));
  const published: (Position & { n: number })[] = [];
  const forge = (position: Position) =>
    server.publishRaw(channel.name, frameOf({ ...noteEnvelope(-1, position), sender: 'mallory' }));
  const head = () => server.head(channel).position;
  let n = 0;
  for (const { type, ...rest } of steps) {
    const count = 'count' in rest ? rest.count : 1;
    if (type === 'turn') await eventLoopTurns(2);
    if (type === 'second') await clock.advance(1_000);
    if (type === 'pause') await clock.advance(100);
    if (type === 'subscribe') subscriber.subscribe(channel as typeof FILLS, () => {});
    if (type === 'lease') await harness.acquireAndReleaseLease(channel);
    if (type === 'new epoch') forge({ epoch: head().epoch + 1_000_000, seq: 1 });
    if (type === 'old epoch') forge({ epoch: head().epoch - 1, seq: 1 });
    if (type === 'cut') {
      // Head checks confirm all numbers first. Known limit: a forged number that is not confirmed when the link is cut
      // can hide the loss of the real message with this number.
      for (let checks = 0; checks < 2; checks++) {
        await clock.advance(1_200);
        await eventLoopTurns(2);
      }
      connection.subscribing.disconnect();
      await publisher.publish(channel, { n: ++n }, { type: 'note' }).then(({ position }) => {
        published.push({ n, ...(position as Position) });
      });
      connection.subscribing.reconnect();
      await eventLoopTurns(2);
    }
    for (let index = 1; index <= count; index++) {
      if (type === 'copy') forge({ epoch: head().epoch, seq: head().seq + index });
      if (type === 'ahead') forge({ epoch: head().epoch, seq: head().seq + index + 30 });
      if (type === 'replay' && frames.length > 0)
        server.publishRaw(channel.name, frames.at(-index) ?? (frames[0] as Uint8Array));
      if (type !== 'publish') continue;
      const { position } = await publisher.publish(channel, { n: ++n }, { type: 'note' });
      published.push({ n, ...(position as Position) });
    }
  }
  for (let wait = 0; wait < 4; wait++) {
    await clock.advance(1_200);
    await eventLoopTurns();
  }
  return { harness, received: received.filter((one) => one > 0), published };
}

const channels = [
  ['with history', FILLS],
  ['without history', ALERTS],
  ['of commands', COMMANDS],
] as const;

it.each(channels)(
  'no real message of a channel %s is lost silently, repeated or out of order',
  async (_, channel) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step('copy', 'ahead', 'replay'), { minLength: 1, maxLength: 25 }),
        async (steps) => {
          const { harness, received, published } = await run(channel, steps);
          expect(received).toEqual([...new Set(received)].sort((a, b) => a - b));
          const silent = published.filter(
            (message) => !received.includes(message.n) && !harness.gaps.some((gap) => covers(gap, message)),
          );
          expect(silent).toEqual([]);
          expect(harness.subscriber.status(channel)?.mode).toBe('live');
        },
      ),
      { numRuns: 100 },
    );
  },
);

it.each(channels)(
  'no real message of a channel %s is reported as proved to be forged',
  async (_, channel) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step('copy', 'ahead'), { minLength: 1, maxLength: 25 }), async (steps) => {
        const { harness } = await run(channel, steps);
        await harness.subscriber.close();
        const proved = harness.forged.filter(({ isProved }) => isProved);
        expect(proved.flatMap(({ senders }) => senders)).not.toContain('bench');
      }),
      { numRuns: 60 },
    );
  },
);

it('a state channel ends with the newest real value of every key, and no other key', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom('A', 'B', 'C') },
          {
            weight: 6,
            arbitrary: fc.constantFrom('copy', 'ahead', 'turn', 'second', 'pause', 'cut', 'subscribe'),
          },
        ),
        { minLength: 1, maxLength: 30 },
      ),
      async (steps) => {
        const harness = new PubSubHarness();
        const { clock, connection, server, subscriber } = harness;
        const newest: Record<string, number> = {};
        const handlers: Record<string, number>[] = [];
        const subscribe = () => {
          const latest: Record<string, number> = {};
          handlers.push(latest);
          subscriber.subscribe(PRICES, ({ data }) => {
            latest[data.symbol] = data.price;
          });
        };
        subscribe();
        await subscriber.startListening();
        const forge = (symbol: string, ahead: number) => {
          const { epoch, seq } = server.head(PRICES).position;
          const document = {
            message_type: 'tick',
            data: { symbol, price: -1 },
            timestamp: 1,
            sender: 'mallory',
          };
          server.publishRaw('PRICES', frameOf({ ...document, epoch, seq: seq + ahead }));
        };
        for (const [price, type] of steps.entries()) {
          if (type === 'copy') for (const [i, key] of ['A', 'X', 'B'].entries()) forge(key, i + 1);
          else if (type === 'ahead') forge('A', 40);
          else if (type === 'turn') await eventLoopTurns(2);
          else if (type === 'second') await clock.advance(1_000);
          else if (type === 'pause') await clock.advance(100);
          else if (type === 'subscribe') subscribe();
          else if (type === 'cut') {
            connection.subscribing.disconnect();
            newest.C = price;
            await harness.publishPrice('C', price);
            connection.subscribing.reconnect();
          } else {
            newest[type] = price;
            await harness.publishPrice(type, price);
          }
        }
        for (let wait = 0; wait < 4; wait++) {
          await clock.advance(1_200);
          await eventLoopTurns();
        }
        for (const key of ['A', 'B', 'C', 'X'])
          expect([key, subscriber.latest(PRICES, key).message?.data.price]).toEqual([key, newest[key]]);
        for (const latest of handlers) expect({ ...latest, X: undefined }).toMatchObject(newest);
        expect(subscriber.status(PRICES)?.mode).toBe('live');
      },
    ),
    { numRuns: 120, examples: [[['A', 'copy', 'cut', 'A', 'subscribe', 'A']]] },
  );
});
