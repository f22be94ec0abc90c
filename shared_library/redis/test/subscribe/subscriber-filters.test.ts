// Filters by type, key and predicate, and filters that are rejected.

import { describe, expect, it } from 'vitest';
import { ALERTS, errorWith, PRICES } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

describe('filters', () => {
  it('by types deliver only those types', async () => {
    const { publisher, subscriber } = new PubSubHarness();
    const levels: string[] = [];
    const all: string[] = [];
    subscriber.subscribe(ALERTS, ({ data }) => levels.push(data.level), { types: ['alarm'] });
    subscriber.subscribe(ALERTS, ({ message_type }) => all.push(message_type));
    await subscriber.startListening();
    await publisher.publish(ALERTS, { n: 1 });
    await publisher.publish(ALERTS, { n: 2, level: 'high' }, { type: 'alarm' });
    expect(levels).toEqual(['high']);
    expect(all).toEqual(['note', 'alarm']);
  });

  it('by keys and where deliver messages that pass both', async () => {
    const harness = new PubSubHarness();
    const received: [string, number][] = [];
    harness.subscriber.subscribe(PRICES, ({ data }) => received.push([data.symbol, data.price]), {
      keys: ['A', 'B'],
      where: ({ data }) => data.price > 1,
    });
    await harness.subscriber.startListening();
    await harness.publishPrices(['A', 1], ['A', 2], ['B', 3], ['C', 4]);
    expect(received).toEqual([
      ['A', 2],
      ['B', 3],
    ]);
  });

  it('with no types or no keys deliver nothing', async () => {
    const harness = new PubSubHarness();
    const received: unknown[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(message), { types: [] });
    harness.subscriber.subscribe(PRICES, (message) => received.push(message), { keys: [] });
    await harness.subscriber.startListening();
    await harness.publishPrice('A', 1);
    expect(received).toEqual([]);
  });

  it('throw TICKBUS_INVALID_OPTION if the channel does not support them', () => {
    const { subscriber } = new PubSubHarness();
    const subscribing = (channel: typeof ALERTS | typeof PRICES, options: object) =>
      expect(() => subscriber.subscribe(channel, () => {}, options));
    const invalidOption = (text: RegExp) =>
      errorWith('TICKBUS_INVALID_OPTION', { message: expect.stringMatching(text) });
    subscribing(ALERTS, { types: ['nope'] }).toThrow(
      invalidOption(/no message type "nope", so `types` cannot select it\. Use note, alarm\./),
    );
    subscribing(ALERTS, { types: ['toString'] }).toThrow(invalidOption(/"toString"/));
    subscribing(PRICES, { keys: ['A', 'K'.repeat(257)] }).toThrow(
      invalidOption(/257 characters.*limit is 256/),
    );
    subscribing(ALERTS, { keys: ['A'] }).toThrow(invalidOption(/has no key/));
    for (const queueLimit of [0, -1, Number.NaN]) {
      subscribing(ALERTS, { queueLimit }).toThrow(invalidOption(/queueLimit/));
    }
    expect(subscriber.status(ALERTS)).toBeUndefined();
  });

  it('that throw are reported as handler_error, and the handler does not receive the message', async () => {
    const harness = new PubSubHarness();
    const received: number[] = [];
    const failure = new Error('in where');
    harness.subscriber.subscribe(ALERTS, ({ data }) => received.push(data.n), {
      where: ({ data }) => {
        if (data.n === 1) throw failure;
        return true;
      },
    });
    await harness.subscriber.startListening();
    await harness.publishNotes(ALERTS, 1, 2);
    expect(received).toEqual([2]);
    expect(harness.handlerErrors).toMatchObject([
      { channel: 'ALERTS', error: failure, message: { data: { n: 1 } } },
    ]);
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ handlerErrors: 1, delivered: 1 });
  });
});
