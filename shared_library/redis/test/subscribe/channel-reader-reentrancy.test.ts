// Listeners and handlers that add or remove receivers while a recovery is in progress.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { TickbusError } from '../../errors.ts';
import type { ChannelState } from '../../transport/port.ts';
import { FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { tickText } from './channel-reader.fixture.ts';

const HEAD = { position: { epoch: 9, seq: 3 }, at: 0, entries: [] };

/** A last value of PRICES. */
const lastValue = (symbol: string, seq: number) =>
  frameOf({
    message_type: 'tick',
    data: { symbol, price: seq },
    timestamp: 0,
    sender: 'test',
    epoch: 9,
    seq,
  });

const LAST_VALUES = { ...HEAD, entries: [lastValue('A', 1), lastValue('B', 2), lastValue('C', 3)] };

describe('a channel whose last receiver is removed', () => {
  it.each(['recovering', 'gap', 'recovery_failed'])(
    'by a listener to "%s" is not read any more',
    async (type) => {
      const { transport, clock, subscriber } = fakeSubscriber();
      const stop = subscriber.subscribe(FILLS, () => {});
      transport.onRead = async () => HEAD;
      void subscriber.startListening();
      await eventLoopTurns();
      subscriber.on('status', (status) => {
        if (status.type === type) stop();
      });
      // Message 4 is missing. Its recovery reports a gap, or fails.
      transport.onRead = async () => {
        if (type === 'recovery_failed') throw new TickbusError('TICKBUS_CONNECT_FAILED', 'No.');
        return { ...HEAD, position: { epoch: 9, seq: 5 } };
      };
      transport.push(noteEnvelope(5, { epoch: 9, seq: 5 }));
      await eventLoopTurns();
      const { heads, reads } = transport;
      const before = { heads, reads: reads.length };
      await clock.advance(5_000);
      await eventLoopTurns();
      expect({ heads: transport.heads, reads: transport.reads.length }).toEqual(before);
      expect(subscriber.status(FILLS)).toBeUndefined();
    },
  );

  it.each(['handler', 'tap'])('by its own %s during a snapshot is not read any more', async (kind) => {
    const { transport, clock, subscriber } = fakeSubscriber();
    const received: string[] = [];
    const stop: () => void =
      kind === 'tap'
        ? subscriber.tap(PRICES, ({ message }) => once(tickText(message)))
        : subscriber.subscribe(PRICES, (message) => once(tickText(message)));
    const once = (text: string) => {
      received.push(text);
      stop();
    };
    transport.onRead = async () => LAST_VALUES;
    void subscriber.startListening();
    await eventLoopTurns();
    const { heads } = transport;
    await clock.advance(5_000);
    await eventLoopTurns();
    expect(received).toEqual(['A1 snapshot']);
    expect(transport.heads).toBe(heads);
    expect(subscriber.status(PRICES)).toBeUndefined();
  });

  it('by its own handler before a message that is ahead is not read any more', async () => {
    const { transport, clock, subscriber } = fakeSubscriber();
    const received: number[] = [];
    const stop = subscriber.subscribe(FILLS, ({ data }) => {
      received.push(data.n);
      if (data.n === 6) stop();
    });
    transport.onRead = async () => HEAD;
    void subscriber.startListening();
    await eventLoopTurns();
    // The recovery from the loss of 4 ends with 6 and 8 held: 6 is next, 8 is ahead.
    const reply = deferred<ChannelState>();
    transport.onRead = () => reply.promise;
    for (const seq of [5, 6, 8]) transport.push(noteEnvelope(seq, { epoch: 9, seq }));
    reply.resolve({ ...HEAD, position: { epoch: 9, seq: 5 } });
    await eventLoopTurns();
    const before = { heads: transport.heads, reads: transport.reads.length };
    await clock.advance(5_000);
    await eventLoopTurns();
    expect(received).toEqual([5, 6]);
    expect(before.reads).toBe(2);
    expect({ heads: transport.heads, reads: transport.reads.length }).toEqual(before);
  });
});

it('a handler that is added by another one during a recovery receives every last value once', async () => {
  const { transport, subscriber } = fakeSubscriber();
  const received: string[] = [];
  let isAdded = false;
  subscriber.subscribe(PRICES, ({ data }) => {
    if (isAdded || data.symbol !== 'B' || data.price !== 5) return;
    isAdded = true;
    subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
  });
  transport.onRead = async () => LAST_VALUES;
  await subscriber.startListening();
  await eventLoopTurns();
  // Messages 4 and 5 are lost. The recovery reads only the values that changed since message 3.
  const recovered = {
    position: { epoch: 9, seq: 6 },
    at: 0,
    entries: [lastValue('B', 5), lastValue('C', 6)],
  };
  transport.onRead = async (since) =>
    since === undefined ? { ...recovered, entries: [lastValue('A', 1), ...recovered.entries] } : recovered;
  transport.push({
    message_type: 'tick',
    data: { symbol: 'C', price: 6 },
    timestamp: 0,
    sender: 'test',
    epoch: 9,
    seq: 6,
  });
  await eventLoopTurns();
  expect(received).toEqual(['A1 snapshot', 'B5 snapshot', 'C6 snapshot']);
  expect(subscriber.status(PRICES)).toMatchObject({ mode: 'live' });
});
