// Joining a channel: what a late joiner receives, and several subscribers on one connection.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { ChannelState } from '../../transport/port.ts';
import { ALERTS, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { noteText, tickText } from './channel-reader.fixture.ts';

describe('a late joiner', () => {
  it('of a state channel receives the last value of each key, then live messages', async () => {
    const harness = new PubSubHarness();
    await harness.publishPrices(['A', 1], ['B', 1], ['A', 2]);
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    expect(received).toEqual(['B1 snapshot', 'A2 snapshot']);
    await harness.publishPrice('B', 2);
    expect(received.slice(2)).toEqual(['B2']);
    expect(harness.gaps).toEqual([]);
  });

  it('with a key filter receives only the last values of its keys', async () => {
    const harness = new PubSubHarness();
    for (const symbol of ['A', 'B', 'C']) await harness.publishPrice(symbol, 1);
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)), { keys: ['B'] });
    await harness.subscriber.startListening();
    await eventLoopTurns();
    expect(received).toEqual(['B1 snapshot']);
  });

  it('reads the values of its keys alone on a large channel, also for subscriptions added during a read', async () => {
    const harness = new PubSubHarness();
    await Promise.all(Array.from({ length: 600 }, (_, index) => harness.publishPrice(`S${index}`, index)));
    const received: string[] = [];
    const subscribe = (...keys: string[]) =>
      harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)), { keys });
    subscribe('S1', 'S2');
    await harness.subscriber.startListening();
    await eventLoopTurns();
    expect(received).toEqual(['S11 snapshot', 'S22 snapshot']);
    const { length } = harness.link.reads;
    for (let index = 3; index < 300; index++) subscribe(`S${index}`);
    await eventLoopTurns();
    expect(received.slice(2)).toEqual(
      Array.from({ length: 297 }, (_, index) => `S${index + 3}${index + 3} snapshot`),
    );
    // One read begins with S3, and one serves all that were added while it was in flight.
    expect(harness.link.reads).toHaveLength(length + 2);
    expect(harness.link.readKeys.at(-1)?.size).toBe(299);
    expect(harness.gaps).toEqual([]);
    await harness.publishPrice('S299', 7);
    expect(received.at(-1)).toBe('S2997');
  });

  it('has the newest values of its keys after a loss on a large channel', async () => {
    const harness = new PubSubHarness();
    await Promise.all(Array.from({ length: 600 }, (_, index) => harness.publishPrice(`S${index}`, 1)));
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)), { keys: ['S1'] });
    await harness.subscriber.startListening();
    await eventLoopTurns();
    harness.link.drops = ({ data }) => data.price === 2;
    await harness.publishPrices(['S1', 2], ['S2', 2], ['S3', 3]);
    await eventLoopTurns();
    expect(received.at(-1)).toBe('S12 snapshot');
    // The message of S2 is not read, so it counts as lost.
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 602, to: 602, repaired: false }]);
  });

  it.each([FILLS, ALERTS, COMMANDS])('of %s receives no earlier message', async (channel) => {
    const harness = new PubSubHarness();
    await harness.publishNotes(channel, 1, 2);
    const received: string[] = [];
    harness.subscriber.subscribe(channel as typeof FILLS, (message) => received.push(noteText(message)));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    await harness.publishNotes(channel, 3);
    expect(received).toEqual(['3']);
    expect(harness.gaps).toEqual([]);
  });

  it('on a live state channel receives the last values; the first handler receives no value again', async () => {
    const harness = new PubSubHarness();
    const first: string[] = [];
    const second: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => first.push(tickText(message)));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    await harness.publishPrice('A', 1);
    harness.subscriber.subscribe(PRICES, (message) => second.push(tickText(message)));
    await harness.publishPrice('A', 2);
    await eventLoopTurns();
    await harness.publishPrice('A', 3);
    expect(first).toEqual(['A1', 'A2', 'A3']);
    expect(second.at(-1)).toBe('A3');
    expect(second.filter((one) => one.startsWith('A2'))).toHaveLength(1);
    expect(harness.gaps).toEqual([]);
  });

  it('that subscribes while a state channel recovers receives the last values', async () => {
    const harness = new PubSubHarness();
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, () => {});
    await harness.subscriber.startListening();
    await eventLoopTurns();
    await harness.publishPrice('A', 1);
    const read = harness.link.read.bind(harness.link);
    const reply = deferred();
    harness.link.read = async (...args) => {
      const state = await read(...args);
      await reply.promise;
      return state;
    };
    harness.connection.subscribing.disconnect();
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    expect(harness.subscriber.status(PRICES)?.mode).toBe('recovering');
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
    reply.resolve();
    await eventLoopTurns();
    expect(received).toEqual(['A1 snapshot']);
  });

  it('receives messages published during the read once and in order', async () => {
    const { transport, subscriber } = fakeSubscriber();
    const reply = deferred<ChannelState>();
    transport.onRead = () => reply.promise;
    const received: string[] = [];
    subscriber.subscribe(FILLS, (message) => received.push(noteText(message)));
    const listening = subscriber.startListening();
    await eventLoopTurns();
    const envelopes = [4, 5, 6].map((n) => noteEnvelope(n, { epoch: 9, seq: n }));
    for (const envelope of envelopes) transport.push(envelope);
    expect(received).toEqual([]);
    // The server executes the read after message 5 and before message 6. The reply arrives after message 6.
    reply.resolve({ position: { epoch: 9, seq: 5 }, at: 0, entries: envelopes.slice(0, 2).map(frameOf) });
    await eventLoopTurns();
    expect(received).toEqual(['4', '5', '6']);
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 9, seq: 6 }, gaps: 0 });
    await listening;
  });
});

describe('several subscribers', () => {
  it('on one connection each receive the channel', async () => {
    const harness = new PubSubHarness();
    const { clock, logger, connection } = harness;
    const received: string[] = [];
    const subscribers = ['a', 'b'].map((name) => {
      const subscriber = new SubscriberBase({ transport: connection.subscribing, clock, logger });
      subscriber.subscribe(FILLS, (message) => received.push(`${name}${message.data.n}`));
      return subscriber;
    });
    for (const subscriber of subscribers) await subscriber.startListening();
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 1);
    expect(received.sort()).toEqual(['a1', 'b1']);
    await subscribers[0]?.close();
    await harness.publishNotes(FILLS, 2);
    expect(received.filter((one) => one.endsWith('2'))).toEqual(['b2']);
  });
});
