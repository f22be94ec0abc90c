// Adopter: batches, retries, and what it gives up.

import { EventRecorder, RecordingLogger } from '@tickbus/test-kit';
import { beforeEach, expect, it } from 'vitest';
import { PartitionsChangedError } from '../../channel/partitions.ts';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { Adopter } from '../../subscribe/adopter.ts';
import type { Adoption, PlainMessage } from '../../transport/adoption-port.ts';
import { ORIGIN } from '../../wire/position.ts';

const { BOT_STATUS } = CHANNELS;

let clock: ManualClock;
let logger: RecordingLogger;
let adopter: Adopter;
let calls: EventRecorder<readonly PlainMessage[]>;
/** Outcomes of the next calls; then every message is stored. */
let outcomes: (TickbusError | Adoption | Promise<Adoption>)[];

beforeEach(() => {
  clock = new ManualClock();
  logger = new RecordingLogger();
  calls = new EventRecorder();
  outcomes = [];
  const transport = {
    connect: async () => {},
    adopt: async (_: unknown, messages: readonly PlainMessage[]): Promise<Adoption[]> => {
      calls.add(messages);
      const outcome = await (outcomes.shift() ?? 'stored');
      if (outcome instanceof TickbusError) throw outcome;
      return messages.map(() => outcome);
    },
  };
  adopter = new Adopter({ transport, clock, logger });
});

const position = { epoch: 5, seq: 7 };
function hear(bot: string, state = 'running', more: object = {}): void {
  const envelope = {
    message_type: 'bot_status',
    data: { bot, state, ...more },
    timestamp: 1,
    sender: 'python',
  };
  adopter.hear(BOT_STATUS, envelope, (key) => ({
    channel: BOT_STATUS,
    position: key === 'new' ? undefined : position,
  }));
}
/** Lets all pending promises settle. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const keysOf = (messages: readonly PlainMessage[]) =>
  messages.map(({ key, tail }) => `${key} ${/"state":"(\w+)"/.exec(tail)?.[1]}`);
const lost = () => new TickbusError('TICKBUS_NOT_CONNECTED', 'The link is down.');

it('sends what arrives together as one batch, the newest message of each key, with its position', async () => {
  hear('a', 'starting');
  hear('new');
  hear('a', 'running');
  await settled();
  expect(calls.items.map(keysOf)).toEqual([['a running', 'new running']]);
  expect(calls.items[0]?.map(({ after }) => after)).toEqual([position, ORIGIN]);
});

it('sends one call at a time, with at most 100 messages', async () => {
  let release: (adoption: Adoption) => void = () => {};
  outcomes = [
    new Promise((resolve) => {
      release = resolve;
    }),
  ];
  hear('first');
  await settled();
  for (let index = 0; index < 150; index++) hear(`bot-${index}`);
  await settled();
  expect(calls.items).toHaveLength(1);
  release('stored');
  await settled();
  expect(calls.items.map(({ length }) => length)).toEqual([1, 100, 50]);
});

it('repeats a failed call, unless a newer message of the key has arrived or five seconds have passed', async () => {
  outcomes = [lost(), lost()];
  hear('a');
  hear('b', 'starting');
  await settled();
  hear('b', 'running');
  await settled();
  clock.advance(500);
  await settled();
  expect(calls.items.map(keysOf).at(-1)).toEqual(expect.arrayContaining(['a running', 'b running']));
  expect(calls.items.at(-1)?.find(({ key }) => key === 'a')?.agoMs).toBe(500);
  outcomes = Array.from({ length: 20 }, lost);
  hear('late');
  await settled();
  for (let step = 0; step < 10; step++) {
    clock.advance(500);
    await settled();
  }
  const count = calls.items.length;
  expect(calls.items.at(-1)?.[0]?.agoMs).toBe(5_000);
  outcomes = [];
  clock.advance(500);
  await settled();
  clock.advance(10_000);
  await settled();
  expect(calls.items).toHaveLength(count);
});

it('without permission it warns once, and tries again after a minute', async () => {
  outcomes = [new TickbusError('TICKBUS_DENIED', 'No.')];
  hear('a');
  await settled();
  hear('a');
  clock.advance(59_999);
  hear('a');
  await settled();
  expect(calls.items).toHaveLength(1);
  expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  clock.advance(1);
  hear('a');
  await settled();
  expect(calls.items).toHaveLength(2);
});

it('gives up messages of a former number of partitions, and sends the next ones', async () => {
  outcomes = [new PartitionsChangedError(BOT_STATUS, 4)];
  hear('a');
  await settled();
  hear('b');
  await settled();
  expect(calls.items.map(keysOf)).toEqual([['a running'], ['b running']]);
});

it.each([
  ['full', /too many keys/],
  ['leased', /lease is held/],
] as const)('reports %s', async (outcome, reason) => {
  outcomes = [outcome];
  hear('a');
  await settled();
  expect(logger.lines).toMatchObject([{ level: 'warn', message: expect.stringMatching(reason) }]);
});

it('leaves out invalid messages, those that are too large, and all after its end', async () => {
  hear('a', 'unknown state');
  hear('', 'running');
  hear('a', 'running', { detail: 'x'.repeat(1_001) });
  adopter.close();
  hear('a');
  await settled();
  expect(calls.items).toEqual([]);
});
