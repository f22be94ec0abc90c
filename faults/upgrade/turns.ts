// Old and new programs on the same channels: they take the lease from each other in turn, publish beside each other,
// and receive what all publish.

import { deepEqual, ok } from 'node:assert/strict';
import type { HandlerHistory, SentRecord } from '@tickbus/fault-kit/records';
import type { Position } from 'tickbus';
import { type FaultChannel, FILLS, LEASED_FILLS, LEASED_TICKS, ORDERS, TICKS } from '../fault-channels.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';
import { WorkerProcess } from '../worker-process.ts';
import type { ListenSettings } from '../workers/listen.ts';
import type { PublishSettings } from '../workers/publish.ts';

const LEASED = [LEASED_FILLS, LEASED_TICKS];
const SHARED = [FILLS, TICKS, ORDERS];
/** Messages that each shared publisher sends on each channel. */
const COUNT = 500;
const FIRST_NUMBER = 100_000_000;
const NUMBERS_EACH = 1_000_000;

interface Report extends Readonly<Record<string, unknown>> {
  readonly histories: readonly HandlerHistory[];
  readonly statuses: readonly { readonly type: string }[];
}

interface Positions extends Readonly<Record<string, unknown>> {
  readonly channels: readonly {
    readonly channel: string;
    readonly mode: string;
    readonly position?: Position;
    readonly queueDepth: number;
  }[];
}

interface Sent extends Readonly<Record<string, unknown>> {
  readonly sent: readonly SentRecord[];
}

/**
 * @param old the folder of the other checkout
 * @param turns takeovers, alternately from a killed and from an orderly ended holder
 */
export async function takeTurns(testbed: Testbed, old: string, turns: number): Promise<void> {
  const channels = [...LEASED, ...SHARED];
  for (const channel of channels) await testbed.listen(channel, { name: `new bot on ${channel}` });
  const names = channels.map(({ name }) => name);
  const listening: ListenSettings = { url: testbed.urlOf(), name: 'old bot', channels: names };
  const oldBot = new WorkerProcess('listen', { ...listening }, { checkout: old });
  testbed.atEnd(() => oldBot.kill());
  await oldBot.receive('ready');
  await Promise.all([
    publishTogether(testbed, old),
    ...LEASED.map((channel) => passLease(testbed, channel, old, turns)),
  ]);
  await testbed.settle();
  const { histories, statuses } = await reportOf(testbed, oldBot);
  testbed.ledger.merge([], histories);
  const reported = [...new Set(statuses.map(({ type }) => type))];
  testbed.note(`${turns} takeovers on each leased channel; statuses of the old bot: ${reported.join(', ')}`);
  for (const { name, seen, gaps } of testbed.ledger.histories) {
    ok(seen.length > 0, `${name} receives messages`);
    deepEqual(
      gaps.map(({ cause }) => cause).filter((cause) => cause !== 'epoch'),
      [],
      `gaps of ${name}`,
    );
  }
  const problems = ['forged', 'invalid_message', 'definition_conflict', 'failed'];
  deepEqual(
    reported.filter((type) => problems.includes(type)),
    [],
    'problems that the old bot reports',
  );
}

async function passLease(testbed: Testbed, channel: FaultChannel, old: string, turns: number): Promise<void> {
  const random = testbed.random.fork(`turns ${channel}`);
  const join = (turn: number) => {
    const [version, checkout] = turn % 2 === 0 ? ['old', old] : ['new', undefined];
    return new WorkerCandidate(testbed, channel, { name: `${version} ${turn}`, checkout });
  };
  let holder = join(0);
  await holder.untilGained();
  for (let turn = 1; turn <= turns; turn++) {
    const next = join(turn);
    await next.process.receive('started');
    await delay(random.int(20, 200));
    // Two turns each, so that both versions end in both ways.
    await holder.end(Math.floor((turn - 1) / 2) % 2 === 0 ? 'kill' : 'close');
    await next.untilGained();
    holder = next;
  }
  await delay(random.int(20, 200));
  const sent = await holder.end('close');
  ok(
    sent.some(({ outcome }) => outcome === 'accepted'),
    `${holder.name} publishes on ${channel}`,
  );
}

/** An old and a new publisher on each channel, at the same time. */
async function publishTogether(testbed: Testbed, old: string): Promise<void> {
  const url = testbed.urlOf();
  let firstNumber = FIRST_NUMBER;
  for (const { name: channel } of SHARED) {
    const publishers = [old, undefined].map((checkout) => {
      const settings: PublishSettings = { url, channel, count: COUNT, firstNumber };
      firstNumber += NUMBERS_EACH;
      return new WorkerProcess('publish', { ...settings }, { checkout });
    });
    for (const publisher of publishers) testbed.atEnd(() => publisher.kill());
    await Promise.all(publishers.map((publisher) => publisher.receive('ready')));
    for (const publisher of publishers) publisher.send({ type: 'start' });
    for (const publisher of publishers) {
      const { sent } = await publisher.receive<Sent>('done');
      testbed.ledger.merge(sent);
      const refused = sent.filter(({ outcome }) => outcome === 'refused');
      deepEqual(refused, [], 'no publish is refused');
    }
  }
}

/** The report of a listening process after it has caught up. */
async function reportOf(testbed: Testbed, worker: WorkerProcess): Promise<Report> {
  await eventually('The old bot has caught up', async () => {
    worker.send({ type: 'positions' });
    const { channels } = await worker.receive<Positions>('positions');
    for (const { channel, mode, position, queueDepth } of channels) {
      const seq = await testbed.commandFor(channel, 'HGET', `tickbus:{${channel}}:head`, 'seq');
      if (mode !== 'live' || position?.seq !== Number(seq) || queueDepth > 0) return false;
    }
    return true;
  });
  worker.send({ type: 'report' });
  return worker.receive<Report>('report');
}
