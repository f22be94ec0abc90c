// Calls that follow each other before the one in front was answered: which do, where to, and what becomes of them when it fails.

import { expect, it } from 'vitest';
import { ManualClock } from '../../adapters/manual-clock.ts';
import type { Outgoing, Receipt } from '../../core/ports.ts';
import { Batcher } from '../../engine/batcher.ts';
import { ALERTS, COMMANDS, deferred, FakeTransport, turns } from '../helpers.ts';

const DEADLINE_MS = 2_000;

interface Call {
  /** The first and the last of its messages. */
  readonly from: number;
  readonly to: number;
  /** Behind which number it has to stand. */
  readonly after: number | undefined;
  /** Behind which number it is taken to stand, whether it has to or not. */
  readonly likely: number | undefined;
  /** The server published it; default: where it was to be. */
  answer(seq?: number): void;
  /** The server did nothing, as somebody else was first. */
  overtake(): void;
  fail(error: unknown): void;
}

/** A batcher that has published message 1, as number 1, and so knows the place; its further calls are answered by the test. */
async function bench(channel: typeof ALERTS | typeof COMMANDS = ALERTS) {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const calls: Call[] = [];
  transport.onPublish = (batch, chained) => {
    const { promise, resolve, reject } = deferred<Receipt>();
    const likely = chained?.after?.end.seq;
    const after = chained?.after?.isRequired ? likely : undefined;
    calls.push({
      from: numberOf(batch[0]),
      to: numberOf(batch.at(-1)),
      after,
      likely,
      answer: (seq = (after ?? Number.NaN) + 1) => resolve({ first: { epoch: 7, seq }, receivers: 1 }),
      overtake: () => resolve({ isOvertaken: true, first: undefined, receivers: 0 }),
      fail: reject,
    });
    return promise;
  };
  const batcher = new Batcher({ channel, transport, clock, deadlineMs: DEADLINE_MS, maxPending: 2 ** 30 });
  /** What became of each message: its number in the channel, or the code of its error. */
  const outcomes: (number | string | undefined)[] = [];
  const add = (from: number, to: number) => {
    for (let n = from; n <= to; n++) {
      batcher.add({ json: `{"n":${n}}` }).then(
        ({ position }) => {
          outcomes[n] = position?.seq;
        },
        ({ code }) => {
          outcomes[n] = code;
        },
      );
    }
  };
  add(1, 1);
  await turns();
  calls.shift()?.answer(1);
  await turns();
  return { add, batcher, calls, clock, outcomes };
}

const numberOf = (message: Outgoing | undefined) => Number(JSON.parse(message?.json ?? '').n);

/** Does it to each in turn, and lets everything happen that follows. */
async function each(calls: readonly (Call | undefined)[], what: (call: Call) => void): Promise<void> {
  for (const call of calls) {
    if (call === undefined) throw new Error('There is no such call.');
    what(call);
    await turns();
  }
}

it('makes full ones at once, four at the most, each behind the one before; what is not full waits', async () => {
  const { add, calls, outcomes } = await bench();
  add(2, 1_291);
  await turns();
  expect(calls).toMatchObject([
    { from: 2, to: 257, after: undefined },
    { from: 258, to: 513, after: 257 },
    { from: 514, to: 769, after: 513 },
    { from: 770, to: 1_025, after: 769 },
  ]);
  await each([calls[0]], (call) => call.answer(2));
  expect(calls[4]).toMatchObject({ from: 1_026, to: 1_281, after: 1_025 });
  await each(calls.slice(1, 5), (call) => call.answer());
  // What is not full goes alone, wherever the channel ends.
  expect(calls.slice(5)).toMatchObject([{ from: 1_282, to: 1_291, after: undefined }]);
  await each([calls[5]], (call) => call.answer(1_282));
  expect(outcomes.slice(1)).toEqual(Array.from({ length: 1_291 }, (_, index) => index + 1));
});

it('makes a call as soon as a batch is full, not only at an answer', async () => {
  const { add, calls } = await bench();
  add(2, 2);
  await turns();
  add(3, 258);
  await turns();
  expect(calls).toHaveLength(1);
  add(259, 259);
  await turns();
  expect(calls[1]).toMatchObject({ from: 3, to: 258, after: 2 });
});

it('puts what was overtaken back in its place in the line, before what came later', async () => {
  const { add, calls, outcomes } = await bench();
  add(2, 1_030);
  await turns();
  // Somebody else was first: the call in front lands further on, and those behind it do nothing.
  await each([calls[0]], (call) => call.answer(1_000));
  add(1_031, 1_031);
  await each([calls[1]], (call) => call.overtake());
  add(1_032, 1_032);
  await each([calls[2], calls[3]], (call) => call.overtake());
  add(1_033, 1_033);
  let seq = 2_000;
  for (let index = 4; index < calls.length; index++) {
    await each([calls[index]], (call) => call.answer(seq));
    seq += 1_000;
  }
  expect(calls.slice(4).map(({ from, to }) => [from, to])).toEqual([
    [258, 513],
    [514, 769],
    [770, 1_025],
    [1_026, 1_033],
  ]);
  expect(outcomes.slice(2, 258)).toEqual(Array.from({ length: 256 }, (_, index) => 1_000 + index));
  expect([258, 514, 770, 1_026, 1_033].map((n) => outcomes[n])).toEqual([2_000, 3_000, 4_000, 5_000, 5_007]);
});

it('says where a call is likely to stand that may stand anywhere, unless somebody else was there lately', async () => {
  const { add, calls } = await bench();
  for (const [n, seq] of [
    [2, 2],
    [3, 9],
    [4, 10],
  ] as const) {
    add(n, n);
    await turns();
    await each([calls.at(-1)], (call) => call.answer(seq));
  }
  expect(calls).toMatchObject([
    { after: undefined, likely: 1 },
    { after: undefined, likely: 2 },
    { after: undefined, likely: undefined },
  ]);
});

it('goes on in order behind a call that failed', async () => {
  const { add, calls, outcomes } = await bench();
  add(2, 2);
  await turns();
  add(3, 259);
  await turns();
  await each([calls[0]], (call) => call.fail({ code: 'TICKBUS_SERVER_ERROR' }));
  await each([calls[1]], (call) => call.overtake());
  add(260, 260);
  await each([calls[2]], (call) => call.answer(2));
  await each([calls[3]], (call) => call.answer(258));
  expect(calls.slice(2).map(({ from, to }) => [from, to])).toEqual([
    [3, 258],
    [259, 260],
  ]);
  expect([outcomes[2], outcomes[3], outcomes[260]]).toEqual(['TICKBUS_SERVER_ERROR', 2, 259]);
});

it('follows again after eight calls in a row that were left alone', async () => {
  const { add, calls } = await bench();
  add(2, 258);
  await turns();
  await each([calls[0]], (call) => call.answer(1_000));
  await each([calls[1]], (call) => call.answer(1_256));
  let next = 259;
  let seq = 1_257;
  /** How many calls are under way once two batches and more wait behind one message. */
  const followers = async () => {
    const before = calls.length;
    add(next, next);
    await turns();
    add(next + 1, next + 600);
    await turns();
    const made = calls.length - before;
    for (let index = before; index < calls.length; index++) {
      const { from, to } = calls[index] as Call;
      await each([calls[index]], (call) => call.answer(seq));
      seq += to - from + 1;
    }
    next += 601;
    return made;
  };
  const made: number[] = [];
  for (let round = 0; round < 4; round++) made.push(await followers());
  // Each round is four calls, one after the other as long as nothing is expected.
  expect(made).toEqual([1, 1, 3, 3]);
});

it('does not send what is put back behind a call past its deadline', async () => {
  const { add, calls, clock, outcomes } = await bench();
  add(2, 2);
  await turns();
  await clock.advance(200);
  add(3, 259);
  await turns();
  expect(calls).toHaveLength(2);
  await clock.advance(DEADLINE_MS - 200);
  await each([calls[1]], (call) => call.overtake());
  expect([outcomes[2], outcomes[3], outcomes[259]]).toEqual([
    'TICKBUS_OUTCOME_UNKNOWN',
    'TICKBUS_NOT_SENT',
    'TICKBUS_NOT_SENT',
  ]);
  await each([calls[0]], (call) => call.answer(2));
  expect(calls).toHaveLength(2);
});

it('tells in time of what was put back while a call behind it is not answered', async () => {
  const { add, calls, clock, outcomes } = await bench();
  add(2, 2);
  await turns();
  add(3, 258);
  await clock.advance(100);
  add(259, 515);
  await turns();
  expect(calls.map(({ from }) => from)).toEqual([2, 3, 259]);
  await each([calls[0]], (call) => call.answer(1_000));
  await each([calls[1]], (call) => call.overtake());
  expect(calls).toHaveLength(3);
  await clock.advance(DEADLINE_MS - 100);
  expect([outcomes[3], outcomes[258], outcomes[259]]).toEqual([
    'TICKBUS_NOT_SENT',
    'TICKBUS_NOT_SENT',
    undefined,
  ]);
  await each([calls[2]], (call) => call.overtake());
  await each([calls[3]], (call) => call.answer(1_001));
  await each([calls[4]], (call) => call.answer(1_257));
  expect([outcomes[259], outcomes[515]]).toEqual([1_001, 1_257]);
});

it('is settled only when all that is under way is', async () => {
  const { add, batcher, calls, clock } = await bench();
  add(2, 2);
  await turns();
  await clock.advance(100);
  add(3, 259);
  await turns();
  let isSettled = false;
  void batcher.settled().then(() => {
    isSettled = true;
  });
  await clock.advance(DEADLINE_MS - 100);
  await turns();
  expect(isSettled).toBe(false);
  await each([calls[1]], (call) => call.answer(3));
  expect(isSettled).toBe(true);
});

it('makes no further call while the server is silent', async () => {
  const { add, calls, clock } = await bench();
  add(2, 2);
  await turns();
  await clock.advance(251);
  add(3, 600);
  await turns();
  expect(calls).toHaveLength(1);
  await each([calls[0]], (call) => call.answer(2));
  expect(calls.slice(1).map(({ from }) => from)).toEqual([3, 259]);
});

it('keeps its order where a handler publishes in the middle of a call', async () => {
  const transport = new FakeTransport();
  const batcher = new Batcher({
    channel: ALERTS,
    transport,
    clock: new ManualClock(),
    deadlineMs: DEADLINE_MS,
    maxPending: 2 ** 30,
  });
  const delivered: number[] = [];
  let next = 1;
  const publish = () => void batcher.add({ json: `{"n":${next++}}` });
  // As a server in memory does: it has delivered before it answers.
  transport.onPublish = async (batch) => {
    const first = { epoch: 7, seq: delivered.length + 1 };
    for (const message of batch) {
      delivered.push(numberOf(message));
      if (next > 1_000 && next < 2_000) publish();
    }
    await turns(1);
    return { first, receivers: 1 };
  };
  publish();
  await turns();
  for (let n = 0; n < 1_000; n++) publish();
  while (delivered.length < next - 1) await turns();
  expect(delivered.length).toBeGreaterThan(1_500);
  expect(delivered).toEqual(Array.from({ length: delivered.length }, (_, index) => index + 1));
});

it('makes one call after the other where messages have ids', async () => {
  const { add, calls } = await bench(COMMANDS);
  add(2, 1_000);
  await turns();
  expect(calls).toHaveLength(1);
});
