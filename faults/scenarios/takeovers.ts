// The lease of a channel passes from one writer to the next: no two hold it at once, and nothing of a deposed holder is accepted.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Fault, TcpProxy } from '@tickbus/fault-kit/proxy';
import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import { LEASED_FILLS, LEASED_TICKS, type NoteChannel } from '../fault-channels.ts';
import { LeaseCandidate, TTL_MS, watchHolders } from '../lease-candidate.ts';
import { PlainListener } from '../plain-listener.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually, within } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';

const CHANNELS = [LEASED_FILLS, LEASED_TICKS];
/** Much longer than two failovers take, so that the first holder still counts on its lease; shorter than silence ends a link (3 s). */
const LONG_TTL_MS = 2_500;

export const promotedAgain: Scenario = {
  name: '29-promoted-again',
  expected:
    'A master that is demoted, forgets a lease and is promoted again, all in one process: never two holders at once.',
  waits: 'busy',
  async run(testbed) {
    const pair = await ReplicaPair.start(testbed.random.fork('replication'));
    testbed.atEnd(() => pair[Symbol.asyncDispose]());
    testbed.moveTo(pair.master);
    const contests = await Promise.all(CHANNELS.map((channel) => prepareContest(testbed, channel)));
    await pair.catchUp();
    pair.lag();
    for (const { first } of contests) {
      await first.start();
      await first.untilHeld();
    }
    const stops = contests.map(({ first }) => first.sendContinually());
    for (const { observer } of contests) await eventually('It is heard', () => observer.messages.length > 0);
    await pair.promote();
    await pair.demote();
    await pair.promote();
    // The first holder hears nothing of it, and what it publishes reaches the server after the takeover.
    for (const { address } of contests) address.inject({ type: 'stall' });
    for (const { first, second } of contests) {
      if (!first.lease.holds) testbed.note('The failovers took longer than the lease.');
      await second.start();
    }
    for (const { address, second } of contests) {
      await second.untilHeld();
      await second.sendUntilAccepted();
      address.heal();
      stops.push(second.sendContinually());
    }
    await delay(TTL_MS);
    for (const stop of stops) await stop();
    for (const { second } of contests) await second.sendUntilAccepted();
    await testbed.settle();
    for (const { observer } of contests) {
      deepEqual(observer.writers, ['first', 'second']);
      deepEqual(observer.problems(), []);
    }
  },
};

interface TakeoverSetup {
  readonly first: LeaseCandidate;
  /** Where the first is connected. */
  readonly address: TcpProxy;
  readonly second: LeaseCandidate;
  readonly observer: PlainListener;
}

/** Both are ready to start, and the server remembers a lease that was released. */
async function prepareContest(testbed: Testbed, channel: NoteChannel): Promise<TakeoverSetup> {
  await testbed.listen(channel);
  const observer = await PlainListener.listen(testbed, channel);
  const address = await testbed.proxy();
  const first = new LeaseCandidate(testbed, channel, {
    name: 'first',
    port: address.port,
    ttlMs: LONG_TTL_MS,
  });
  const second = new LeaseCandidate(testbed, channel, { name: 'second', ttlMs: LONG_TTL_MS });
  watchHolders(testbed, [first, second]);
  await second.start();
  await second.untilHeld();
  equal(await second.lease.release(), true, 'the lease is released');
  return { first, address, second, observer };
}

export const holderStopped: Scenario = {
  name: '32-holder-stopped',
  expected:
    'A holder stopped past its lease with messages on their way: after the takeover none of them is accepted, nor when it wakes.',
  waits: 'busy',
  async run(testbed) {
    await Promise.all(CHANNELS.map((channel) => stopHolder(testbed, channel)));
    await testbed.settle();
  },
};

async function stopHolder(testbed: Testbed, channel: NoteChannel): Promise<void> {
  const address = await testbed.proxy();
  await testbed.listen(channel);
  const observer = await PlainListener.listen(testbed, channel);
  const holder = new WorkerCandidate(testbed, channel, { name: 'stopped', port: address.port });
  await holder.untilGained();
  await eventually('The holder is heard', () => observer.messages.length > 0);
  const successor = await LeaseCandidate.join(testbed, channel, { name: 'successor' });
  // What it sends from here on has left its process, and does not reach the server before the takeover.
  address.inject({ type: 'stall' }, 'to_server');
  await delay(50);
  holder.process.pause();
  await successor.untilHeld();
  for (let left = 20; left > 0; left--) await successor.send();
  const heardBefore = observer.messages.length;
  address.heal();
  for (let left = 20; left > 0; left--) await successor.send();
  holder.process.resume();
  await holder.process.receive('lost');
  const stop = successor.sendContinually();
  await delay(TTL_MS);
  await stop();
  const sent = await holder.end('close');
  ok(
    sent.some(({ outcome }) => outcome === 'accepted'),
    'the holder published before it was stopped',
  );
  ok(observer.messages.length > heardBefore, 'the successor is heard');
  deepEqual(observer.writers, ['stopped', 'successor']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

export const candidatesRace: Scenario = {
  name: '33-candidates-race',
  expected:
    'Two candidates start at once, and the holder releases, is cut off or is killed, again and again: one writer an epoch.',
  waits: 'busy',
  shortened: '8 rounds instead of 60, one of them with processes instead of 5',
  async run(testbed) {
    await Promise.all([
      race(testbed, LEASED_FILLS, testbed.scaled(60, 8)),
      raceOfProcesses(testbed, LEASED_TICKS, testbed.scaled(5, 1)),
    ]);
    await testbed.settle();
  },
};

/** What is sent is lost, or comes late. */
const CUT_OFF: readonly [Fault, ...Fault[]] = [{ type: 'blackhole' }, { type: 'stall' }];

/** The holder releases the lease, or is cut off until the other has taken over. */
async function race(testbed: Testbed, channel: NoteChannel, rounds: number): Promise<void> {
  const random = testbed.random.fork(`race ${channel}`);
  await testbed.listen(channel);
  const observer = await PlainListener.listen(testbed, channel);
  const contestants = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const address = await testbed.proxy();
      return { address, candidate: new LeaseCandidate(testbed, channel, { name, port: address.port }) };
    }),
  );
  const candidates = contestants.map(({ candidate }) => candidate);
  watchHolders(testbed, candidates);
  const stops = candidates.map((candidate) => candidate.sendContinually());
  const holder = () => contestants.find(({ candidate }) => candidate.lease.holds);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(candidates.map((candidate) => candidate.start()));
    await eventually('One of them holds the lease', () => holder() !== undefined);
    await delay(random.int(1, 30));
    const first = holder();
    if (first === undefined) continue;
    if (random.percent(60)) await first.candidate.lease.release();
    else first.address.inject(random.pick(CUT_OFF), random.pick(['both', 'to_client', 'to_server']));
    await eventually('The other takes over', () => (holder() ?? first) !== first);
    await delay(random.int(1, 30));
    first.address.heal();
    await Promise.all(candidates.map(({ lease }) => lease.release()));
  }
  await Promise.all(stops.map((stop) => stop()));
  testbed.note(
    `${rounds} rounds, ${new Set(observer.messages.map(({ epoch }) => epoch)).size} epochs on ${channel}`,
  );
  deepEqual([...observer.writers].sort(), ['one', 'two']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

/** Two processes start at once, and the one that gains the lease is killed in the middle of publishing. */
async function raceOfProcesses(testbed: Testbed, channel: NoteChannel, rounds: number): Promise<void> {
  const random = testbed.random.fork(`race ${channel}`);
  await testbed.listen(channel);
  const observer = await PlainListener.listen(testbed, channel);
  for (let round = 0; round < rounds; round++) {
    const pair = ['left', 'right'].map(
      (name) => new WorkerCandidate(testbed, channel, { name: `${name} ${round}` }),
    );
    const gains = pair.map(async (candidate) => {
      await candidate.untilGained();
      return candidate;
    });
    const first = await Promise.race(gains);
    await eventually('The first is heard', () => observer.writers.includes(first.name));
    await delay(random.int(1, 50));
    const killed = await first.end('kill');
    const second = pair.find((candidate) => candidate !== first);
    await Promise.all(gains);
    await eventually('The second is heard', () => observer.writers.includes(second?.name ?? ''));
    await delay(random.int(1, 50));
    await second?.end('close');
    const unknown = killed.filter(({ outcome }) => outcome === 'unknown').length;
    testbed.note(`round ${round}: killed with ${unknown} messages of unknown outcome`);
  }
  deepEqual(observer.problems(), [], `on ${channel}`);
}

const EPOCHS_MISSED = 3;
const KEYS = ['A', 'B', 'C', 'D', 'E'];

export const awayDuringTakeovers: Scenario = {
  name: '38-away-during-takeovers',
  expected:
    'The lease passes on several times while a subscriber is away: what it missed of each epoch is delivered or reported.',
  waits: 'busy',
  async run(testbed) {
    for (const [channel, keeps] of [
      [LEASED_TICKS, undefined],
      [LEASED_FILLS, undefined],
      [LEASED_FILLS, 7],
    ] as const) {
      const address = await testbed.proxy();
      const { recorder, statuses } = await testbed.listen(channel, { port: address.port });
      const writer = await LeaseCandidate.join(testbed, channel);
      await writer.untilHeld();
      for (const key of KEYS) await writer.send({ key });
      await testbed.settle();
      const awayAt = performance.now();
      address.refuse();
      address.reset();
      for (let epoch = 0; epoch < EPOCHS_MISSED; epoch++) {
        await writer.lease.release();
        await writer.start();
        await writer.sendUntilAccepted();
        // Each epoch writes fewer keys than the one before, so that last values of all of them are kept, and not every message is.
        const keys = KEYS.slice(0, KEYS.length - 2 * epoch);
        for (const key of [...keys, ...keys]) await writer.send({ key });
      }
      if (keeps !== undefined)
        await testbed.command('XTRIM', `tickbus:{${channel}}:history`, 'MAXLEN', String(keeps));
      address.heal();
      await within('It is live again', statuses.first('live', awayAt));
      await testbed.settle();
      const reported = recorder.history.gaps.map(
        ({ cause, epoch, from, to }) => `${cause} ${epoch}-${from} to ${to ?? 'its end'}`,
      );
      testbed.note(`${channel}${keeps === undefined ? '' : ', trimmed'}: ${reported.join(', ')}`);
      await writer.lease.close();
    }
  },
};
