// Copied and invented numbers: every real message is delivered or reported as lost, and the forged ones are reported.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../channel/channel.ts';
import type { Envelope } from '../../wire/envelope.ts';
import type { Position } from '../../wire/position.ts';
import { ALERTS, COMMANDS, FILLS, frameOf, noteEnvelope, PRICES } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { noteText, subscribedTo, tickText } from './channel-reader.fixture.ts';

const TWENTY = Array.from({ length: 20 }, (_, index) => index + 1);

type NoteChannel = typeof FILLS | typeof ALERTS | typeof COMMANDS;

/** Publishes with a position, as a client that may PUBLISH can. */
function forge(harness: PubSubHarness, { name }: Channel, ...envelopes: readonly Envelope[]): void {
  for (const envelope of envelopes) harness.server.publishRaw(name, frameOf(envelope));
}

function headOf(harness: PubSubHarness, channel: Channel): Position {
  return harness.server.head(channel).position;
}

const forgedNote = (n: number, position: Position): Envelope => ({
  ...noteEnvelope(n, position),
  sender: 'mallory',
});

const forgedTick = (symbol: string, price: number, position: Position): Envelope => ({
  ...position,
  message_type: 'tick',
  data: { symbol, price },
  at: Date.UTC(2026, 0, 1),
  timestamp: 1,
  sender: 'mallory',
});

/** A harness whose subscriber got the real price 1 of A, then a forged 666 with the next number. */
async function afterForgedPrice() {
  const harness = new PubSubHarness();
  harness.subscriber.subscribe(PRICES, () => {});
  await harness.subscriber.startListening();
  await eventLoopTurns();
  await harness.publishPrice('A', 1);
  const { epoch, seq } = headOf(harness, PRICES);
  forge(harness, PRICES, forgedTick('A', 666, { epoch, seq: seq + 1 }));
  return { harness, seq };
}

describe('twenty numbers above the head, copied before the real messages', () => {
  it.each<[string, NoteChannel, boolean]>([
    ['commands', COMMANDS, false],
    ['events with history', FILLS, true],
    ['events without history', ALERTS, false],
  ])('%s: all real messages are handled', async (_, channel, isKept) => {
    const { harness, received } = await subscribedTo(channel);
    await harness.publishNotes(channel, 1_000);
    const { epoch, seq } = headOf(harness, channel);
    forge(harness, channel, ...TWENTY.map((n) => forgedNote(-n, { epoch, seq: seq + n })));
    await harness.publishNotes(channel, ...TWENTY);
    await harness.clock.advance(2_000);
    await eventLoopTurns();
    const handled = received.map((text) => Number.parseInt(text, 10)).filter((n) => n > 0 && n < 1_000);
    // Sorted, because the order of messages without a kept copy is not guaranteed. Only FILLS keeps any: the last ten.
    expect(handled.sort((a, b) => a - b)).toEqual(TWENTY);
    const report = harness.subscriber.status(channel);
    expect(report).toMatchObject({ mode: 'live', lost: 0 });
    expect(report?.forged).toBeGreaterThanOrEqual(isKept ? 10 : 1);
    expect(harness.forged.flatMap(({ senders }) => senders)).toContain('mallory');
    if (isKept) expect(harness.forged.some(({ isProved }) => isProved)).toBe(true);
    else expect(harness.forged.some(({ isProved }) => !isProved)).toBe(true);
  });

  it('prices: the real value of every key follows as a snapshot, and no forged one remains', async () => {
    const harness = new PubSubHarness();
    const received: string[] = [];
    harness.subscriber.subscribe(PRICES, (message) => received.push(tickText(message)));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    await harness.publishPrices(['A', 1], ['B', 2]);
    await harness.clock.advance(1_000);
    const { epoch, seq } = headOf(harness, PRICES);
    const forgedTicks = TWENTY.map((n) => forgedTick(n % 2 ? 'A' : 'INVENTED', 666, { epoch, seq: seq + n }));
    forge(harness, PRICES, ...forgedTicks);
    expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(666);
    await harness.publishPrice('B', 3);
    await eventLoopTurns();
    expect(received.slice(-2)).toEqual(['A1 snapshot', 'B3 snapshot']);
    expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(1);
    expect(harness.subscriber.latest(PRICES, 'B').message?.data.price).toBe(3);
    expect(harness.subscriber.latest(PRICES, 'INVENTED').message).toBeUndefined();
    expect(harness.forged).toMatchObject([{ isProved: true, senders: ['mallory'] }]);
    expect(harness.subscriber.status(PRICES)?.forged).toBe(20);
  });

  it('prices: the head check ends a forged value if no real message follows', async () => {
    const { harness, seq } = await afterForgedPrice();
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(1);
    expect(harness.forged).toMatchObject([
      { isProved: true, from: seq + 1, to: seq + 1, senders: ['mallory'] },
    ]);
  });

  it('prices: a reconnect ends a forged value, also if the head has reached its number', async () => {
    const { harness } = await afterForgedPrice();
    harness.connection.subscribing.disconnect();
    await harness.publishPrice('B', 2);
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    expect(harness.subscriber.latest(PRICES, 'A').message?.data.price).toBe(1);
    expect(harness.subscriber.latest(PRICES, 'B').message?.data.price).toBe(2);
  });
});

it('prices: a recovery that starts again reports an invalid kept message once', async () => {
  const { transport, subscriber } = fakeSubscriber();
  const invalid: unknown[] = [];
  subscriber.on('invalid_message', (report) => invalid.push(report));
  subscriber.subscribe(PRICES, () => {});
  transport.onRead = async () => ({ position: { epoch: 7, seq: 0 }, at: 0, entries: [] });
  await subscriber.startListening();
  await eventLoopTurns();
  transport.push(forgedTick('A', 666, { epoch: 7, seq: 1 }));
  transport.onRead = async () => ({
    position: { epoch: 7, seq: 1 },
    at: 0,
    entries: [Buffer.from('{"no":"envelope"}'), frameOf(forgedTick('B', 2, { epoch: 7, seq: 1 }))],
  });
  transport.emitStatus({ type: 'connected', generation: 2 });
  await eventLoopTurns();
  expect(transport.reads).toHaveLength(3);
  expect(invalid).toHaveLength(1);
  expect(subscriber.latest(PRICES, 'B').message?.data.price).toBe(2);
});

describe('copies of a real message', () => {
  it('are rejected as forged and cause no recovery, once the head has confirmed the number', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    await harness.publishNotes(ALERTS, 1, 2);
    await harness.clock.advance(1_000);
    const reads = harness.link.reads.length;
    const { epoch } = headOf(harness, ALERTS);
    for (let i = 0; i < 1_000; i++) forge(harness, ALERTS, forgedNote(9, { epoch, seq: 2 }));
    forge(harness, ALERTS, forgedNote(9, { epoch: epoch - 1, seq: 5 }));
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ mode: 'live', forged: 1_001 });
    await harness.publishNotes(ALERTS, 3);
    expect(received).toEqual(['1', '2', '3']);
    expect(harness.link.reads).toHaveLength(reads);
    await harness.clock.advance(1_000);
    expect(harness.forged.map(({ count }) => count)).toEqual([1, 1_000]);
  });

  it('are not delivered again, although nothing is kept and the number is not confirmed', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    const frames: Uint8Array[] = [];
    harness.server.subscribe('ALERTS', (frame) => frames.push(frame));
    await harness.publishNotes(ALERTS, 1, 2);
    harness.server.publishRaw('ALERTS', frames[1] as Uint8Array);
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 3);
    expect(received).toEqual(['1', '2', '3']);
    expect(harness.forged).toMatchObject([{ isProved: true, count: 1 }]);
    expect(harness.subscriber.status(ALERTS)).toMatchObject({ mode: 'live', lost: 0 });
  });
});

describe('invented epochs', () => {
  it('on an unused channel are not delivered, and keep no real message from being delivered', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    forge(harness, ALERTS, forgedNote(-1, { epoch: 9e15, seq: 1 }));
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 1, 2);
    await harness.clock.advance(100);
    await harness.publishNotes(ALERTS, 3);
    expect(received).toEqual(['1', '2', '3']);
    expect(harness.gaps).toEqual([]);
    expect(harness.forged).toMatchObject([{ epoch: 9e15, senders: ['mallory'] }]);
  });

  it('between two real ones make one recovery neither long nor loud', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    await harness.publishNotes(ALERTS, 1);
    const { epoch } = headOf(harness, ALERTS);
    const delayed = harness.link.read.bind(harness.link);
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    harness.link.read = async (...args) => {
      await released;
      return delayed(...args);
    };
    await harness.clock.advance(60_000);
    forge(harness, ALERTS, forgedNote(-1, { epoch: epoch + 1, seq: 1 }));
    const invented = Array.from({ length: 20_000 }, (_, i) =>
      forgedNote(-1, { epoch: epoch + 2 + i, seq: 3 }),
    );
    forge(harness, ALERTS, ...invented);
    await harness.acquireAndReleaseLease(ALERTS);
    await harness.publishNotes(ALERTS, 2);
    release();
    await eventLoopTurns(5);
    expect(received.filter((text) => text !== '-1')).toEqual(['1', '2']);
    expect(harness.gaps.length).toBeLessThan(50);
    expect(harness.subscriber.status(ALERTS)?.forged).toBeGreaterThan(19_000);
  });
});

describe('a flood of forged numbers', () => {
  it('ahead of the head keeps the channel live, with at most one read in 100 ms', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { epoch, seq } = headOf(harness, FILLS);
    const before = harness.link.reads.length;
    let liveTurns = 0;
    for (let turn = 0; turn < 100; turn++) {
      forge(harness, FILLS, forgedNote(-1, { epoch, seq: seq + 500 + turn }));
      await harness.clock.advance(10);
      if (harness.subscriber.status(FILLS)?.mode === 'live') liveTurns++;
      await harness.publishNotes(FILLS, turn + 2);
    }
    await harness.clock.advance(1_000);
    expect(harness.link.reads.length - before).toBeLessThanOrEqual(12);
    expect(liveTurns).toBeGreaterThan(50);
    expect(received.filter((text) => text !== '-1')).toHaveLength(101);
    expect(harness.subscriber.status(FILLS)).toMatchObject({ mode: 'live', lost: 0, forged: 100 });
  });

  it('next to the head causes at most one read in 100 ms, and every real message is delivered', async () => {
    const { harness, received } = await subscribedTo(COMMANDS);
    await harness.publishNotes(COMMANDS, 1);
    const before = harness.link.reads.length;
    for (let turn = 0; turn < 100; turn++) {
      const { epoch, seq } = headOf(harness, COMMANDS);
      forge(harness, COMMANDS, forgedNote(-1, { epoch, seq: seq + 1 }));
      await harness.publishNotes(COMMANDS, turn + 2);
      await harness.clock.advance(10);
    }
    await harness.clock.advance(1_000);
    const real = received.map(Number).filter((n) => n > 0);
    expect(new Set(real).size).toBe(101);
    expect(harness.link.reads.length - before).toBeLessThanOrEqual(12);
    expect(harness.subscriber.status(COMMANDS)).toMatchObject({ mode: 'live', lost: 0 });
    expect(harness.forged.length).toBeLessThan(6);
  });
});

describe('a user without the right to read', () => {
  it('gets every real message after copied and invented numbers', async () => {
    const { transport, subscriber } = fakeSubscriber();
    const received: string[] = [];
    const forged: unknown[] = [];
    subscriber.on('forged', ({ isProved, senders }) => forged.push({ isProved, senders }));
    transport.onRead = () => Promise.reject({ code: 'TICKBUS_DENIED' });
    subscriber.subscribe(ALERTS, (message) => received.push(noteText(message)));
    await subscriber.startListening();
    transport.push(noteEnvelope(1, { epoch: 7, seq: 1 }));
    for (const seq of [2, 3]) transport.push(forgedNote(-seq, { epoch: 7, seq }));
    transport.push(noteEnvelope(2, { epoch: 7, seq: 2 }));
    transport.push(forgedNote(-9, { epoch: 9e15, seq: 1 }));
    for (const seq of [3, 4]) transport.push(noteEnvelope(seq, { epoch: 7, seq }));
    await eventLoopTurns();
    expect(received.filter((text) => !text.startsWith('-'))).toEqual(['1', '2', '3', '4']);
    expect(forged).toContainEqual({ isProved: false, senders: ['test'] });
    await subscriber.close();
  });
});

it('a sender is escaped in the report', async () => {
  const { harness } = await subscribedTo(ALERTS);
  await harness.publishNotes(ALERTS, 1);
  await harness.clock.advance(1_000);
  const { epoch } = headOf(harness, ALERTS);
  const sender = `\u001b[2J${'x'.repeat(120)}`;
  forge(harness, ALERTS, { ...noteEnvelope(9, { epoch, seq: 1 }), sender });
  const [shown] = harness.forged[0]?.senders ?? [];
  expect(shown).toBe(`\\u001b[2J${'x'.repeat(120)}`);
});
