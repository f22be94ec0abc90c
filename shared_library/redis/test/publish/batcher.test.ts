// Batcher: one call in flight, later messages in the next batch, deadlines and the backlog limit.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { Published } from '../../publish/batch.ts';
import { Batcher } from '../../publish/batcher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import type { Outgoing, Receipt } from '../../transport/port.ts';
import { ALERTS, CHAT } from '../channels.fixture.ts';
import { FakeTransport } from '../fake-transport.fixture.ts';

const DEADLINE_MS = 2_000;

/** A batcher whose transport replies on demand and numbers messages as a server does. */
function setUp({ maxPending = 32 * 1024 * 1024, channel = ALERTS as typeof ALERTS | typeof CHAT } = {}) {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const calls: { batch: readonly Outgoing[]; reply: () => void; fail: (error: unknown) => void }[] = [];
  let seq = 1;
  transport.onPublish = (batch) => {
    const { promise, resolve, reject } = deferred<Receipt>();
    const first = { epoch: 7, seq };
    seq += batch.length;
    calls.push({ batch, reply: () => resolve({ first, receivers: 3 }), fail: reject });
    return promise;
  };
  const batcher = new Batcher({ channel, transport, clock, deadlineMs: DEADLINE_MS, maxPending });
  return { batcher, transport, clock, calls };
}

const message = (n: number | string): Outgoing => ({ json: `{"n":${JSON.stringify(n)}}` });

/** The outcome of a publish, once it is known. */
function observe(publishing: Promise<Published>) {
  const outcome: { published?: Published; code?: string; retryable?: boolean } = {};
  publishing.then(
    (published) => Object.assign(outcome, { published }),
    ({ code, retryable }) => Object.assign(outcome, { code, retryable }),
  );
  return outcome;
}

describe('batches', () => {
  it('sends the messages of one turn in one call, and resolves each with its position', async () => {
    const { batcher, calls } = setUp();
    const outcomes = [1, 2, 3].map((n) => batcher.add(message(n)));
    await eventLoopTurns();
    expect(calls).toHaveLength(1);
    expect(calls[0]?.batch).toEqual([message(1), message(2), message(3)]);
    calls[0]?.reply();
    expect(await Promise.all(outcomes)).toEqual(
      [1, 2, 3].map((seq) => ({ position: { epoch: 7, seq }, receivers: 3 })),
    );
  });

  it('keeps one call in flight; later messages form the next batch, in order', async () => {
    const { batcher, calls } = setUp();
    const outcomes = [batcher.add(message(1))];
    await eventLoopTurns();
    for (const n of [2, 3]) {
      outcomes.push(batcher.add(message(n)));
      await eventLoopTurns();
    }
    expect(calls).toHaveLength(1);
    calls[0]?.reply();
    await eventLoopTurns();
    expect(calls.map(({ batch }) => batch.length)).toEqual([1, 2]);
    calls[1]?.reply();
    const sequences = (await Promise.all(outcomes)).map(({ position }) => position?.seq);
    expect(sequences).toEqual([1, 2, 3]);
  });

  it('sends again after it was idle', async () => {
    const { batcher, calls } = setUp();
    for (const n of [1, 2]) {
      const outcome = batcher.add(message(n));
      await eventLoopTurns();
      calls[n - 1]?.reply();
      expect((await outcome).position?.seq).toBe(n);
    }
  });

  it('sends at most 256 messages in one call', async () => {
    const { batcher, calls } = setUp();
    for (let n = 0; n < 556; n++) void batcher.add(message(n));
    for (let call = 0; call < 3; call++) {
      await eventLoopTurns();
      calls[call]?.reply();
    }
    expect(calls.map(({ batch }) => batch.length)).toEqual([256, 256, 44]);
    expect(calls.flatMap(({ batch }) => batch)).toEqual(Array.from({ length: 556 }, (_, n) => message(n)));
  });

  it('sends at most 256 KiB in one call, or a single larger message', async () => {
    const { batcher, calls } = setUp();
    const ofSize = (size: number) => ({ json: 'x'.repeat(size) });
    const sizes = [100_000, 100_000, 62_144, 1, 300_000, 1];
    for (const size of sizes) void batcher.add(ofSize(size));
    for (let call = 0; call < 4; call++) {
      await eventLoopTurns();
      calls[call]?.reply();
    }
    expect(calls.map(({ batch }) => batch.map(({ json }) => json.length))).toEqual([
      [100_000, 100_000, 62_144],
      [1],
      [300_000],
      [1],
    ]);
  });

  it('resolves without a position on a plain channel', async () => {
    const { batcher, transport } = setUp({ channel: CHAT });
    transport.onPublish = async () => ({ first: undefined, receivers: 1 });
    expect(await batcher.add(message(1))).toEqual({ position: undefined, receivers: 1 });
  });
});

describe('a call that fails', () => {
  it('rejects every message of its batch with the same error, and the next batch is sent', async () => {
    const { batcher, calls } = setUp();
    const rejected = [batcher.add(message(1)), batcher.add(message(2))].map(observe);
    await eventLoopTurns();
    const next = batcher.add(message(3));
    calls[0]?.fail({ code: 'TICKBUS_FENCED' });
    await eventLoopTurns();
    expect(rejected).toEqual([{ code: 'TICKBUS_FENCED' }, { code: 'TICKBUS_FENCED' }]);
    calls[1]?.reply();
    expect((await next).receivers).toBe(3);
  });
});

describe('the deadline', () => {
  it('rejects sent messages with TICKBUS_OUTCOME_UNKNOWN and waiting ones with TICKBUS_NOT_SENT', async () => {
    const { batcher, calls, clock } = setUp();
    const sent = observe(batcher.add(message(1)));
    await eventLoopTurns();
    const waited = observe(batcher.add(message(2)));
    await clock.advance(DEADLINE_MS - 1);
    expect([sent, waited]).toEqual([{}, {}]);
    await clock.advance(1);
    expect(sent).toEqual({ code: 'TICKBUS_OUTCOME_UNKNOWN', retryable: false });
    expect(waited).toEqual({ code: 'TICKBUS_NOT_SENT', retryable: true });
    expect(calls).toHaveLength(1);
  });

  it('rejects new messages with TICKBUS_NOT_SENT while a call has no reply', async () => {
    const { batcher, calls, clock } = setUp();
    observe(batcher.add(message(1)));
    await eventLoopTurns();
    await clock.advance(DEADLINE_MS);
    const rejected = observe(batcher.add(message(2)));
    await eventLoopTurns();
    expect(rejected.code).toBe('TICKBUS_NOT_SENT');
    expect(calls).toHaveLength(1);
  });

  it.each(['reply', 'fail'] as const)('sends again once the late call settles (%s)', async (end) => {
    const { batcher, calls, clock } = setUp();
    const late = observe(batcher.add(message(1)));
    await eventLoopTurns();
    await clock.advance(DEADLINE_MS);
    calls[0]?.[end](new Error('late'));
    await eventLoopTurns();
    expect(late.code).toBe('TICKBUS_OUTCOME_UNKNOWN');
    const outcome = batcher.add(message(2));
    await eventLoopTurns();
    expect(calls[1]?.batch).toEqual([message(2)]);
    calls[1]?.reply();
    expect((await outcome).position?.seq).toBe(2);
  });

  it('still applies to a batch when the reply of another batch arrives', async () => {
    const { batcher, calls, clock } = setUp();
    const first = observe(batcher.add(message(1)));
    await eventLoopTurns();
    await clock.advance(DEADLINE_MS - 1);
    const second = observe(batcher.add(message(2)));
    calls[0]?.reply();
    await eventLoopTurns();
    expect(first.published?.position?.seq).toBe(1);
    expect(calls).toHaveLength(2);
    await clock.advance(DEADLINE_MS);
    expect(second.code).toBe('TICKBUS_OUTCOME_UNKNOWN');
  });

  // At the deadline a message that was sent rejects with OUTCOME_UNKNOWN, and a waiting message with NOT_SENT.
  it('counts from the publish, also for a message that waits behind slow calls', async () => {
    const { batcher, calls, clock } = setUp();
    const messages = Array.from({ length: 256 * 3 }, (_, n) => observe(batcher.add(message(n))));
    await eventLoopTurns();
    await clock.advance(1_500);
    calls[0]?.reply();
    await eventLoopTurns();
    await clock.advance(500);
    const batches = [messages.slice(0, 256), messages.slice(256, 512), messages.slice(512)];
    const outcomes = batches.map((batch) => [
      ...new Set(batch.map((one) => (one.published ? 'published' : one.code))),
    ]);
    expect(outcomes).toEqual([['published'], ['TICKBUS_OUTCOME_UNKNOWN'], ['TICKBUS_NOT_SENT']]);
  });
});

describe('the backlog', () => {
  it('rejects with TICKBUS_BACKLOG_FULL above its limit, keeps waiting messages, and frees their bytes', async () => {
    const size = message(1).json.length;
    const { batcher, calls } = setUp({ maxPending: size * 2 });
    const sent = batcher.add(message(1));
    await eventLoopTurns();
    const waiting = [batcher.add(message(2)), batcher.add(message(3))];
    const rejected = observe(batcher.add(message(4)));
    await eventLoopTurns();
    expect(rejected).toEqual({ code: 'TICKBUS_BACKLOG_FULL', retryable: true });
    calls[0]?.reply();
    await sent;
    await eventLoopTurns();
    const later = batcher.add(message(5));
    calls[1]?.reply();
    await Promise.all(waiting);
    await eventLoopTurns();
    expect(calls[2]?.batch).toEqual([message(5)]);
    calls[2]?.reply();
    await later;
  });

  it('is empty after a deadline', async () => {
    const size = message(1).json.length;
    const { batcher, calls, clock } = setUp({ maxPending: size });
    observe(batcher.add(message(1)));
    await eventLoopTurns();
    observe(batcher.add(message(2)));
    await clock.advance(DEADLINE_MS);
    calls[0]?.reply();
    await eventLoopTurns();
    const outcome = batcher.add(message(3));
    await eventLoopTurns();
    calls[1]?.reply();
    expect((await outcome).receivers).toBe(3);
  });
});
