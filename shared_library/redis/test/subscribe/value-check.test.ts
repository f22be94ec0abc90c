// After a lost link or a lost server memory, values with unconfirmed numbers are compared with the server.

import { eventLoopTurns } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import type { Envelope } from '../../wire/envelope.ts';
import type { Position } from '../../wire/position.ts';
import { frameOf, PRICES } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { tickText } from './channel-reader.fixture.ts';

const tick = (symbol: string, price: number, seq: number, epoch = 7): Envelope => ({
  epoch,
  seq,
  message_type: 'tick',
  data: { symbol, price },
  at: Date.UTC(2026, 0, 1),
  timestamp: 1,
  sender: 'gateway',
});

const payload = z.object({ symbol: z.string(), price: z.number() });
const TYPED = defineChannel('TYPED', {
  kind: 'state',
  key: 'symbol',
  messages: { tick: payload, halt: payload },
});

/** A subscriber that got A1, B2 and A3 as the numbers 1 to 3 of epoch 7. Only number 1 is confirmed. */
async function atThree() {
  const { transport, subscriber } = fakeSubscriber();
  const received: string[] = [];
  const answer = (position: Position, ...entries: Envelope[]) => {
    transport.onRead = async () => ({ position, at: 0, entries: entries.map(frameOf) });
  };
  /** As `answer`, from a server that came back with an older memory. */
  const answerForgotten = (position: Position, ...entries: Envelope[]) => {
    transport.onRead = async () => ({ position, at: 0, entries: entries.map(frameOf), isForgotten: true });
  };
  subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
  answer({ epoch: 7, seq: 1 }, tick('A', 1, 1));
  await subscriber.startListening();
  await eventLoopTurns();
  for (const message of [tick('B', 2, 2), tick('A', 3, 3)]) transport.push(message);
  await eventLoopTurns();
  expect(received.splice(0)).toEqual(['A1 snapshot', 'B2', 'A3']);
  const reconnect = async () => {
    transport.emitStatus({ type: 'connected', generation: 2 });
    await eventLoopTurns();
  };
  const price = (key: string) => subscriber.latest(PRICES, key).message?.data.price;
  return { transport, subscriber, received, answer, answerForgotten, reconnect, price };
}

it('values that the server confirms after a reconnect are not delivered again', async () => {
  const { transport, received, answer, reconnect, price } = await atThree();
  answer({ epoch: 7, seq: 4 }, tick('B', 2, 2), tick('A', 3, 3), tick('C', 4, 4));
  await reconnect();
  expect(received).toEqual(['C4']);
  expect(transport.reads).toHaveLength(2);
  expect(['A', 'B', 'C'].map(price)).toEqual([3, 2, 4]);
});

it('a value that the server does not keep was forged: all last values follow', async () => {
  const { transport, received, answer, reconnect, price } = await atThree();
  answer({ epoch: 7, seq: 3 }, tick('A', 1, 1), tick('B', 2, 2), tick('C', 9, 3));
  await reconnect();
  expect(transport.reads).toHaveLength(3);
  expect(received).toEqual(['A1 snapshot', 'B2 snapshot', 'C9 snapshot']);
  expect(['A', 'B', 'C'].map(price)).toEqual([1, 2, 9]);
});

it('a value with other content than the server keeps was forged: all last values follow', async () => {
  const { received, answer, reconnect, price } = await atThree();
  answer({ epoch: 7, seq: 3 }, tick('B', 5, 2), tick('A', 3, 3));
  await reconnect();
  expect(received).toEqual(['B5 snapshot', 'A3 snapshot']);
  expect(price('B')).toBe(5);
});

it('a value above the head, on a server that has lost nothing, was forged', async () => {
  const { received, answer, reconnect, price } = await atThree();
  answer({ epoch: 7, seq: 2 }, tick('A', 1, 1), tick('B', 2, 2));
  await reconnect();
  expect(received).toEqual(['A1 snapshot', 'B2 snapshot']);
  expect(price('A')).toBe(1);
});

it('a forged message above the head does not vouch for a forged value', async () => {
  const { transport, received, answer, reconnect, price } = await atThree();
  answer({ epoch: 7, seq: 4 }, tick('A', 1, 1), tick('B', 4, 4));
  const reconnected = reconnect();
  transport.push(tick('A', 667, 30));
  await reconnected;
  expect(received).toEqual(['A1 snapshot', 'B4']);
  expect(price('A')).toBe(1);
});

it('a forged value of a key that nobody wants any more is forgotten', async () => {
  const { transport, subscriber } = fakeSubscriber();
  const keep = (seq: number, ...entries: Envelope[]) => {
    transport.onRead = async () => ({ position: { epoch: 7, seq }, at: 0, entries: entries.map(frameOf) });
  };
  keep(1, tick('A', 1, 1));
  subscriber.subscribe(PRICES, () => {}, { keys: ['A'] });
  const unsubscribe = subscriber.subscribe(PRICES, () => {}, { keys: ['B'] });
  await subscriber.startListening();
  await eventLoopTurns();
  transport.push(tick('B', 666, 2));
  unsubscribe();
  keep(2, tick('A', 1, 1));
  transport.emitStatus({ type: 'connected', generation: 2 });
  await eventLoopTurns();
  subscriber.subscribe(PRICES, () => {}, { keys: ['B'] });
  await eventLoopTurns();
  expect(subscriber.latest(PRICES, 'B').message).toBeUndefined();
});

it('a tap gets the real message that a forged one hides', async () => {
  const { transport, subscriber } = fakeSubscriber();
  const seen: string[] = [];
  subscriber.tap(PRICES, ({ message }) => seen.push(tickText(message)));
  const entries = [tick('K', 2, 2), tick('H', 300, 300)].map(frameOf);
  transport.onRead = async () => ({ position: { epoch: 7, seq: 1 }, at: 0, entries: [] });
  await subscriber.startListening();
  await eventLoopTurns();
  for (let seq = 2; seq <= 201; seq++) transport.push(tick('X', 666, seq));
  transport.onRead = async () => ({ position: { epoch: 7, seq: 300 }, at: 0, entries });
  transport.emitStatus({ type: 'connected', generation: 2 });
  await eventLoopTurns();
  expect(seen.slice(200)).toEqual(['K2 snapshot', 'H300 snapshot']);
});

it('a value that only a message of another type follows is forgotten', async () => {
  const { transport, subscriber } = fakeSubscriber();
  const keep = (seq: number, ...entries: Envelope[]) => {
    transport.onRead = async () => ({ position: { epoch: 7, seq }, at: 0, entries: entries.map(frameOf) });
  };
  keep(1, tick('A', 1, 1));
  subscriber.subscribe(TYPED, () => {}, { types: ['tick'] });
  await subscriber.startListening();
  await eventLoopTurns();
  transport.push(tick('A', 666, 2));
  keep(3, { ...tick('A', 0, 3), message_type: 'halt' });
  transport.emitStatus({ type: 'connected', generation: 2 });
  await eventLoopTurns();
  expect(subscriber.latest(TYPED, 'A').message).toBeUndefined();
});

it('a forged value that arrived during a recovery is compared too', async () => {
  const { transport, subscriber, price, answer, reconnect } = await atThree();
  let finish: () => void = () => {};
  const state = { position: { epoch: 7, seq: 3 }, at: 0, entries: [tick('A', 3, 3)].map(frameOf) };
  transport.onRead = () => new Promise((resolve) => (finish = () => resolve(state)));
  subscriber.subscribe(PRICES, () => {});
  transport.push(tick('A', 666, 4));
  finish();
  await eventLoopTurns();
  expect(price('A')).toBe(666);
  answer({ epoch: 7, seq: 4 }, tick('A', 4, 4), tick('B', 2, 2));
  await reconnect();
  expect(price('A')).toBe(4);
});

it('the number of a value is the one that the decoder read, not the first in its text', async () => {
  const harness = new PubSubHarness();
  harness.subscriber.subscribe(PRICES, () => {});
  await harness.subscriber.startListening();
  await eventLoopTurns();
  await harness.publishPrice('A', 1);
  await harness.clock.advance(1_000);
  const { epoch, seq } = harness.server.head(PRICES).position;
  const forged = JSON.stringify({ ...tick('A', 666, seq + 1, epoch), at: harness.clock.now() });
  harness.server.publishRaw('PRICES', Buffer.from(`{"seq":${seq},"epoch":${epoch},${forged.slice(1)}`));
  expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(666);
  harness.connection.subscribing.disconnect();
  for (const price of [2, 3]) await harness.publishPrice('B', price);
  harness.connection.subscribing.reconnect();
  await eventLoopTurns();
  expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(1);
});

it.each<[string, Position]>([
  ['comes back with an older memory', { epoch: 7, seq: 1 }],
  ['begins a new epoch', { epoch: 8, seq: 0 }],
])('if the server %s, no older value is delivered, and what it lost is no latest value', async (_, head) => {
  const { received, answerForgotten, reconnect, price } = await atThree();
  answerForgotten(head, tick('A', 1, 1), tick('B', 2, 2));
  await reconnect();
  expect(received).toEqual([]);
  expect(price('A')).toBeUndefined();
  expect(price('B')).toBe(2);
});

it('a reconnect under load delivers no value twice', async () => {
  const harness = new PubSubHarness();
  const received: string[] = [];
  harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
  await harness.subscriber.startListening();
  await eventLoopTurns();
  const keys = Array.from({ length: 300 }, (_, index) => `K${index}`);
  for (const key of keys) await harness.publishPrice(key, 1);
  harness.connection.subscribing.disconnect();
  await harness.publishPrice('K7', 2);
  harness.connection.subscribing.reconnect();
  await eventLoopTurns();
  expect(received).toEqual([...keys.map((key) => `${key}1`), 'K72']);
});
