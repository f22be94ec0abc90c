// Joining a channel: what a late joiner receives, and several subscribers on one connection.

import { deferred, eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { SubscriberBase } from '../../subscribe/subscriber-base.ts';
import type { ChannelState } from '../../transport/port.ts';
import {
  ALERTS,
  Bench,
  COMMANDS,
  FakeTransport,
  FILLS,
  frameOf,
  noteEnvelope,
  PRICES,
} from '../library.fixture.ts';
import { numberOf, tickOf } from './channel-reader.fixture.ts';

describe('a late joiner', () => {
  it('of a state channel receives the last value of each key, then live messages', async () => {
    const bench = new Bench();
    for (const [symbol, price] of [
      ['A', 1],
      ['B', 1],
      ['A', 2],
    ] as const)
      await bench.price(symbol, price);
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    await bench.subscriber.startListening();
    await eventLoopTurns();
    expect(heard).toEqual(['B1 kept', 'A2 kept']);
    await bench.price('B', 2);
    expect(heard.slice(2)).toEqual(['B2']);
    expect(bench.gaps).toEqual([]);
  });

  it('with a key filter receives only the last values of its keys', async () => {
    const bench = new Bench();
    for (const symbol of ['A', 'B', 'C']) await bench.price(symbol, 1);
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)), { keys: ['B'] });
    await bench.subscriber.startListening();
    await eventLoopTurns();
    expect(heard).toEqual(['B1 kept']);
  });

  it.each([FILLS, ALERTS, COMMANDS])('of %s receives no earlier message', async (channel) => {
    const bench = new Bench();
    await bench.notes(channel, 1, 2);
    const heard: string[] = [];
    bench.subscriber.subscribe(channel as typeof FILLS, (message) => heard.push(numberOf(message)));
    await bench.subscriber.startListening();
    await eventLoopTurns();
    await bench.notes(channel, 3);
    expect(heard).toEqual(['3']);
    expect(bench.gaps).toEqual([]);
  });

  it('on a live state channel receives the last values, and the first handler receives none of them again', async () => {
    const bench = new Bench();
    const first: string[] = [];
    const second: string[] = [];
    bench.subscriber.subscribe(PRICES, (message) => first.push(tickOf(message)));
    await bench.subscriber.startListening();
    await eventLoopTurns();
    await bench.price('A', 1);
    bench.subscriber.subscribe(PRICES, (message) => second.push(tickOf(message)));
    await bench.price('A', 2);
    await eventLoopTurns();
    await bench.price('A', 3);
    expect(first).toEqual(['A1', 'A2', 'A3']);
    expect(second.at(-1)).toBe('A3');
    expect(second.filter((one) => one.startsWith('A2'))).toHaveLength(1);
    expect(bench.gaps).toEqual([]);
  });

  it('that subscribes while a state channel recovers receives the last values', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(PRICES, () => {});
    await bench.subscriber.startListening();
    await eventLoopTurns();
    await bench.price('A', 1);
    const read = bench.link.read.bind(bench.link);
    const reply = deferred();
    bench.link.read = async (...args) => {
      const state = await read(...args);
      await reply.promise;
      return state;
    };
    bench.connection.subscribing.disconnect();
    bench.connection.subscribing.reconnect();
    await eventLoopTurns();
    expect(bench.subscriber.status(PRICES)?.mode).toBe('recovering');
    bench.subscriber.subscribe(PRICES, (message) => heard.push(tickOf(message)));
    reply.resolve();
    await eventLoopTurns();
    expect(heard).toEqual(['A1 kept']);
  });

  it('receives messages published during the read once and in order', async () => {
    const transport = new FakeTransport();
    const subscriber = new SubscriberBase({
      transport,
      clock: new ManualClock(),
      logger: new RecordingLogger(),
    });
    const reply = deferred<ChannelState>();
    transport.onRead = () => reply.promise;
    const heard: string[] = [];
    subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    const listening = subscriber.startListening();
    await eventLoopTurns();
    const envelopes = [4, 5, 6].map((n) => noteEnvelope(n, { epoch: 9, seq: n }));
    for (const envelope of envelopes) transport.push(envelope);
    expect(heard).toEqual([]);
    // The server executed the read between 5 and 6; its reply is handled after 6 arrived.
    reply.resolve({ position: { epoch: 9, seq: 5 }, at: 0, entries: envelopes.slice(0, 2).map(frameOf) });
    await eventLoopTurns();
    expect(heard).toEqual(['4', '5', '6']);
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 9, seq: 6 }, gaps: 0 });
    await listening;
  });
});

describe('several subscribers', () => {
  it('on one connection each receive the channel', async () => {
    const bench = new Bench();
    const { clock, logger, connection } = bench;
    const heard: string[] = [];
    const subscribers = ['a', 'b'].map((name) => {
      const subscriber = new SubscriberBase({ transport: connection.subscribing, clock, logger });
      subscriber.subscribe(FILLS, (message) => heard.push(`${name}${message.data.n}`));
      return subscriber;
    });
    for (const subscriber of subscribers) await subscriber.startListening();
    await eventLoopTurns();
    await bench.notes(FILLS, 1);
    expect(heard.sort()).toEqual(['a1', 'b1']);
    await subscribers[0]?.close();
    await bench.notes(FILLS, 2);
    expect(heard.filter((one) => one.endsWith('2'))).toEqual(['b2']);
  });
});
