// Filters: what reaches a handler by type, by key and by what the handler asks for, and which filters are refused.

import { describe, expect, it } from 'vitest';
import { ALERTS, Bench, PRICES } from '../library.fixture.ts';

describe('filters', () => {
  it('types: only those, and only their payloads', async () => {
    const { publisher, subscriber } = new Bench();
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

  it('keys and where', async () => {
    const bench = new Bench();
    const heard: [string, number][] = [];
    bench.subscriber.subscribe(PRICES, ({ data }) => heard.push([data.symbol, data.price]), {
      keys: ['A', 'B'],
      where: ({ data }) => data.price > 1,
    });
    await bench.subscriber.startListening();
    for (const [symbol, price] of [
      ['A', 1],
      ['A', 2],
      ['B', 3],
      ['C', 4],
    ] as const)
      await bench.price(symbol, price);
    expect(heard).toEqual([
      ['A', 2],
      ['B', 3],
    ]);
  });

  it('no types and no keys at all are a filter that nothing passes', async () => {
    const bench = new Bench();
    const heard: unknown[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(message), { types: [] });
    bench.subscriber.subscribe(PRICES, (message) => heard.push(message), { keys: [] });
    await bench.subscriber.startListening();
    await bench.price('A', 1);
    expect(heard).toEqual([]);
  });

  it('are refused where the channel cannot serve them', () => {
    const { subscriber } = new Bench();
    const subscribing = (channel: typeof ALERTS, options: object) =>
      expect(() => subscriber.subscribe(channel, () => {}, options));
    const refusal = (text: RegExp) =>
      expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', message: expect.stringMatching(text) });
    subscribing(ALERTS, { types: ['nope'] }).toThrow(
      refusal(/no message type "nope", so `types` cannot select it\. Use note, alarm\./),
    );
    subscribing(ALERTS, { types: ['toString'] }).toThrow(refusal(/"toString"/));
    subscribing(ALERTS, { keys: ['A'] }).toThrow(refusal(/has no key/));
    for (const queueLimit of [0, -1, Number.NaN]) {
      subscribing(ALERTS, { queueLimit }).toThrow(refusal(/queueLimit/));
    }
    expect(subscriber.status(ALERTS)).toBeUndefined();
  });

  it('a filter that throws is a handler error, and its handler goes without the message', async () => {
    const bench = new Bench();
    const heard: number[] = [];
    const failure = new Error('in where');
    bench.subscriber.subscribe(ALERTS, ({ data }) => heard.push(data.n), {
      where: ({ data }) => {
        if (data.n === 1) throw failure;
        return true;
      },
    });
    await bench.subscriber.startListening();
    await bench.notes(ALERTS, 1, 2);
    expect(heard).toEqual([2]);
    expect(bench.handlerErrors).toMatchObject([
      { channel: 'ALERTS', error: failure, message: { data: { n: 1 } } },
    ]);
    expect(bench.subscriber.status(ALERTS)).toMatchObject({ handlerErrors: 1, delivered: 1 });
  });
});
