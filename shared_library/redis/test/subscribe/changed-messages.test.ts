// A receiver that changes a message: no other handler, loop, observer or call of `latest` sees the change.

import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

const quote = z.object({ symbol: z.string(), legs: z.array(z.object({ price: z.number() })) });
const QUOTES = defineChannel('QUOTES', { kind: 'state', key: 'symbol', messages: { quote } });
const FILLS = defineChannel('FILLS', { kind: 'event', history: 10, messages: { quote } });

/** Changes a message at every level, as JavaScript code can. Throws if the message is frozen. */
function forge(message: unknown): void {
  const forged = message as { sender: string; data: { symbol: string; legs: { price: number }[] } };
  forged.sender = 'forged';
  forged.data.symbol = 'FORGED';
  for (const leg of forged.data.legs) leg.price = 0;
  forged.data.legs.push({ price: -1 });
}

const GENUINE = { sender: 'test', data: { symbol: 'A', legs: [{ price: 1 }, { price: 2 }] } };
let harness: PubSubHarness;
beforeEach(() => {
  harness = new PubSubHarness();
});

describe.each([
  ['state', QUOTES],
  ['event', FILLS],
] as const)('a message of kind %s that a receiver changes', (_, channel) => {
  const publish = () => harness.publisher.publish(channel, GENUINE.data, { sender: 'test' });

  it('is genuine for the next handlers, whose filters also change it', async () => {
    const seen: unknown[] = [];
    const record = (message: unknown) => {
      seen.push(structuredClone(message));
      forge(message);
    };
    harness.subscriber.tap(channel, ({ message }) => record(message));
    harness.subscriber.subscribe(channel, record);
    harness.subscriber.subscribe(channel, record, {
      where: (message) => {
        forge(message);
        return false;
      },
    });
    harness.subscriber.subscribe(channel, record);
    harness.subscriber.tap(channel, ({ message }) => record(message));
    harness.subscriber.subscribe(channel, record);
    await harness.subscriber.startListening();
    await publish();
    await publish();
    expect(seen).toHaveLength(10);
    for (const message of seen) expect(message).toMatchObject(GENUINE);
  });

  it('is genuine for a loop and for a handler that reads it later', async () => {
    const later: unknown[] = [];
    harness.subscriber.subscribe(channel, async (message) => {
      await Promise.resolve();
      later.push(message);
    });
    const loop = harness.subscriber.messages(channel);
    harness.subscriber.subscribe(channel, forge);
    await harness.subscriber.startListening();
    await publish();
    expect((await loop.next()).value).toMatchObject(GENUINE);
    expect(later).toMatchObject([GENUINE]);
  });
});

describe('latest and requireFresh', () => {
  const read = () => harness.subscriber.latest(QUOTES, 'A').message;

  it('return a genuine message after handlers changed theirs: live and snapshot', async () => {
    const publish = () => harness.publisher.publish(QUOTES, GENUINE.data, { sender: 'test' });
    await publish();
    harness.subscriber.subscribe(QUOTES, forge);
    await harness.subscriber.startListening();
    expect(read()).toMatchObject({ ...GENUINE, snapshot: true });
    await publish();
    expect(read()).toMatchObject({ ...GENUINE, seq: 2 });
  });

  it('return a genuine message after a caller changed its own', async () => {
    harness.subscriber.subscribe(QUOTES, () => {});
    await harness.subscriber.startListening();
    await harness.publisher.publish(QUOTES, GENUINE.data, { sender: 'test' });
    for (let call = 0; call < 3; call++) {
      const message = read();
      expect(message).toMatchObject(GENUINE);
      forge(message);
    }
  });
});
