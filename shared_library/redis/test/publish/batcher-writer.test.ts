// Batcher with an exclusive writer: batches in flight, resending in order, and the end of the lease.

import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { Batcher } from '../../publish/batcher.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import type { Fence, Outgoing, Receipt, Writer } from '../../transport/port.ts';
import { PRICES, receiptAt } from '../channels.fixture.ts';
import { FakeTransport } from '../fake-transport.fixture.ts';

/** A writer whose batches settle as the test decides. */
class FakeWriter implements Writer {
  room = 4;
  readonly sent: { readonly numbers: number[]; readonly ends: (receipt: Receipt | undefined) => void }[] = [];
  #listener: () => void = () => {};

  onRoom(listener: () => void): Unsubscribe {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  }

  publish(batch: readonly Outgoing[]): Promise<Receipt | undefined> {
    this.room--;
    const { promise, resolve } = deferred<Receipt | undefined>();
    this.sent.push({ numbers: batch.map(({ json }) => JSON.parse(json).n), ends: resolve });
    return promise;
  }

  end(): void {
    this.room = 0;
    this.#listener();
  }

  makeRoom(room: number): void {
    this.room = room;
    this.#listener();
  }
}

function setUp(partition?: number) {
  const writer = new FakeWriter();
  const lease: { -readonly [K in keyof Fence]: Fence[K] } = {
    channel: PRICES,
    token: 7,
    writer,
    confirm() {},
  };
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const batcher = new Batcher({
    channel: PRICES,
    transport,
    clock,
    lease,
    deadlineMs: 1_000,
    maxPending: 10_000,
    partition,
  });
  const add = (...numbers: number[]) =>
    numbers.map((n) => batcher.add({ json: JSON.stringify({ n }), key: 'k' }));
  return { writer, lease, transport, clock, batcher, add };
}

describe('with an exclusive writer', () => {
  it('sends the messages of one turn as a batch while the writer has room, and the rest in one batch', async () => {
    const { writer, transport, add } = setUp();
    for (let n = 1; n <= 6; n++) {
      add(n);
      await eventLoopTurns(1);
    }
    expect(writer.sent.map(({ numbers }) => numbers)).toEqual([[1], [2], [3], [4]]);
    writer.makeRoom(1);
    await eventLoopTurns(1);
    expect(writer.sent.at(-1)?.numbers).toEqual([5, 6]);
    expect(transport.published).toEqual([]);
  });

  it('sends the last batch of a partition only if none is in flight, and full ones while there is room', async () => {
    const { writer, add } = setUp(3);
    add(0);
    await eventLoopTurns(1);
    for (let n = 1; n <= 256 + 256 + 2; n++) {
      add(n);
      if (n % 100 === 0) await eventLoopTurns(1);
    }
    await eventLoopTurns(1);
    expect(writer.sent.map(({ numbers }) => numbers.length)).toEqual([1, 256, 256]);
    for (const { ends, numbers } of writer.sent.slice(0, 2)) ends(receiptAt(numbers[0] ?? 0));
    writer.makeRoom(3);
    await eventLoopTurns(1);
    expect(writer.sent.length).toBe(3);
    writer.sent[2]?.ends(receiptAt(257));
    await eventLoopTurns(1);
    expect(writer.sent.at(-1)?.numbers).toEqual([513, 514]);
  });

  it('resends batches that were not executed first, unchanged and in order', async () => {
    const { writer, add } = setUp();
    const outcomes = [...add(1, 2)];
    await eventLoopTurns(1);
    outcomes.push(...add(3));
    await eventLoopTurns(1);
    writer.room = 0;
    outcomes.push(...add(4));
    const [first, second] = writer.sent.splice(0);
    second?.ends(undefined);
    first?.ends(undefined);
    await eventLoopTurns(1);
    expect(writer.sent).toEqual([]);
    writer.makeRoom(4);
    await eventLoopTurns(1);
    expect(writer.sent.map(({ numbers }) => numbers)).toEqual([[1, 2], [3], [4]]);
    for (const { ends, numbers } of writer.sent) ends(receiptAt(numbers[0] ?? 0));
    const positions = await Promise.all(outcomes);
    expect(positions.map(({ position }) => position?.seq)).toEqual([1, 2, 3, 4]);
  });

  it('rejects with TICKBUS_NOT_SENT after the deadline if the writer has no room, then continues', async () => {
    const { writer, clock, add } = setUp();
    writer.room = 0;
    const waiting = errorOf(Promise.all(add(1)));
    await clock.advance(1_001);
    expect(await waiting).toMatchObject({ code: 'TICKBUS_NOT_SENT' });
    add(2);
    writer.makeRoom(1);
    await eventLoopTurns(1);
    expect(writer.sent.map(({ numbers }) => numbers)).toEqual([[2]]);
  });

  it('rejects with TICKBUS_OUTCOME_UNKNOWN after the deadline of a batch in flight, and never resends it', async () => {
    const { writer, clock, add, batcher } = setUp();
    const inFlight = errorOf(Promise.all(add(1)));
    await eventLoopTurns(1);
    await clock.advance(1_001);
    expect(await inFlight).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
    expect(await errorOf(Promise.all(add(2)))).toMatchObject({ code: 'TICKBUS_NOT_SENT' });
    await batcher.settled();
    writer.sent[0]?.ends(undefined);
    await eventLoopTurns(1);
    add(3);
    await eventLoopTurns(1);
    expect(writer.sent.map(({ numbers }) => numbers)).toEqual([[1], [3]]);
  });

  it('rejects waiting and returned batches with TICKBUS_FENCED after the lease is lost', async () => {
    const { writer, lease, add } = setUp();
    const outcomes = add(1);
    await eventLoopTurns(1);
    writer.room = 0;
    outcomes.push(...add(2));
    lease.token = undefined;
    lease.writer = undefined;
    writer.sent[0]?.ends(undefined);
    writer.end();
    for (const outcome of outcomes) expect(await errorOf(outcome)).toMatchObject({ code: 'TICKBUS_FENCED' });
  });

  it('uses the writer of the next lease', async () => {
    const { writer, lease, add } = setUp();
    writer.end();
    const next = new FakeWriter();
    Object.assign(lease, { token: 8, writer: next });
    add(1);
    await eventLoopTurns(1);
    expect([writer.sent.length, next.sent.map(({ numbers }) => numbers)]).toEqual([0, [[1]]]);
  });
});

it('publishes by script with one call in flight if the lease has no writer', async () => {
  const { lease, transport, add } = setUp();
  lease.writer = undefined;
  const reply = deferred<Receipt>();
  transport.onPublish = () => reply.promise;
  add(1);
  await eventLoopTurns(1);
  add(2);
  await eventLoopTurns(1);
  expect(transport.published).toHaveLength(1);
  reply.resolve({ first: { epoch: 5, seq: 9 }, receivers: 0 });
  const seen: unknown[] = [];
  transport.onPublish = async (_, position) => {
    seen.push(position);
    return { first: { epoch: 5, seq: 10 }, receivers: 0 };
  };
  await eventLoopTurns(2);
  expect(seen).toEqual([{ epoch: 5, seq: 9 }]);
});
