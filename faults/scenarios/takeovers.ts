// Takeovers of a lease: a lease has one holder at a time, and no message of a former holder is accepted.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Fault, TcpProxy } from '@tickbus/fault-kit/proxy';
import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import { type FaultChannel, LEASED_FILLS, LEASED_TICKS } from '../fault-channels.ts';
import { LeaseCandidate, TTL_MS, watchHolders } from '../lease-candidate.ts';
import { PlainListener } from '../plain-listener.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually, within } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';

const CHANNELS = [LEASED_FILLS, LEASED_TICKS];
/**
 * Longer than two failovers, so that the first holder still trusts its lease. Shorter than the link timeout (3 s).
 */
const LONG_TTL_MS = 2_500;

export const promotedAgain: Scenario = {
  name: '29-promoted-again',
  expected:
    'A master that is demoted, loses a lease and is promoted again, in one process, never has two holders.',
  waits: 'busy',
  async run(testbed) {
    const pair = await ReplicaPair.start(testbed.random.fork('replication'));
    testbed.atEnd(() => pair[Symbol.asyncDispose]());
    testbed.moveTo(pair.master);
    const setups = await Promise.all(CHANNELS.map((channel) => prepareTakeover(testbed, channel)));
    await pair.catchUp();
    pair.lag();
    for (const { first } of setups) {
      await first.start();
      await first.untilHeld();
    }
    const stops = setups.map(({ first }) => first.sendContinually());
    for (const { listener } of setups)
      await eventually('The first holder publishes', () => listener.messages.length > 0);
    await pair.promote();
    await pair.demote();
    await pair.promote();
    // The first holder does not learn of the failovers. Its later messages reach the server after the takeover.
    for (const { proxy } of setups) proxy.inject({ type: 'stall' });
    for (const { first, second } of setups) {
      if (!first.lease.holds)
        testbed.note('The failovers took longer than the lease, so this run does not test its overlap.');
      await second.start();
    }
    for (const { proxy, second } of setups) {
      await second.untilHeld();
      await second.sendUntilAccepted();
      proxy.heal();
      stops.push(second.sendContinually());
    }
    await delay(TTL_MS);
    for (const stop of stops) await stop();
    for (const { second } of setups) await second.sendUntilAccepted();
    await testbed.settle();
    for (const { listener } of setups) {
      deepEqual(listener.writers, ['first', 'second']);
      deepEqual(listener.problems(), []);
    }
  },
};

interface TakeoverSetup {
  readonly first: LeaseCandidate;
  /** The connection of `first`. */
  readonly proxy: TcpProxy;
  readonly second: LeaseCandidate;
  readonly listener: PlainListener;
}

/** Prepares two candidates. `second` gains and releases the lease once, so the server does not hold `first` off. */
async function prepareTakeover(testbed: Testbed, channel: FaultChannel): Promise<TakeoverSetup> {
  await testbed.listen(channel);
  const listener = await PlainListener.listen(testbed, channel);
  const proxy = await testbed.proxy();
  const first = new LeaseCandidate(testbed, channel, {
    name: 'first',
    port: proxy.port,
    ttlMs: LONG_TTL_MS,
  });
  const second = new LeaseCandidate(testbed, channel, { name: 'second', ttlMs: LONG_TTL_MS });
  watchHolders(testbed, [first, second]);
  await second.start();
  await second.untilHeld();
  equal(await second.lease.release(), true, 'the lease is released');
  return { first, proxy, second, listener };
}

export const holderStopped: Scenario = {
  name: '32-holder-stopped',
  expected: 'If a holder is stopped with messages in flight, none of them is accepted after the takeover.',
  waits: 'busy',
  async run(testbed) {
    await Promise.all(CHANNELS.map((channel) => stopHolder(testbed, channel)));
    await testbed.settle();
  },
};

async function stopHolder(testbed: Testbed, channel: FaultChannel): Promise<void> {
  const proxy = await testbed.proxy();
  await testbed.listen(channel);
  const listener = await PlainListener.listen(testbed, channel);
  const holder = new WorkerCandidate(testbed, channel, { name: 'stopped', port: proxy.port });
  await holder.untilGained();
  await eventually('The holder publishes', () => listener.messages.length > 0);
  const successor = await LeaseCandidate.join(testbed, channel, { name: 'successor' });
  // The next messages of the holder leave the process, but do not reach the server before the takeover.
  proxy.inject({ type: 'stall' }, 'to_server');
  await delay(50);
  holder.process.pause();
  await successor.untilHeld();
  for (let left = 20; left > 0; left--) await successor.send();
  const countBefore = listener.messages.length;
  proxy.heal();
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
  ok(listener.messages.length > countBefore, 'the successor publishes');
  deepEqual(listener.writers, ['stopped', 'successor']);
  deepEqual(listener.problems(), [], `on ${channel}`);
}

export const candidatesRace: Scenario = {
  name: '33-candidates-race',
  expected:
    'Two candidates race while holders release, lose their link or are killed repeatedly: each epoch has one writer.',
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

/** Faults that delay or drop the messages of a holder. */
const LINK_FAULTS: readonly [Fault, ...Fault[]] = [{ type: 'blackhole' }, { type: 'stall' }];

/** The holder releases the lease, or its link fails until the other candidate has taken over. */
async function race(testbed: Testbed, channel: FaultChannel, rounds: number): Promise<void> {
  const random = testbed.random.fork(`race ${channel}`);
  await testbed.listen(channel);
  const listener = await PlainListener.listen(testbed, channel);
  const contestants = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const proxy = await testbed.proxy();
      return { proxy, candidate: new LeaseCandidate(testbed, channel, { name, port: proxy.port }) };
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
    else first.proxy.inject(random.pick(LINK_FAULTS), random.pick(['both', 'to_client', 'to_server']));
    await eventually('The other takes over', () => (holder() ?? first) !== first);
    await delay(random.int(1, 30));
    first.proxy.heal();
    await Promise.all(candidates.map(({ lease }) => lease.release()));
  }
  await Promise.all(stops.map((stop) => stop()));
  testbed.note(
    `${rounds} rounds, ${new Set(listener.messages.map(({ epoch }) => epoch)).size} epochs on ${channel}`,
  );
  deepEqual([...listener.writers].sort(), ['one', 'two']);
  deepEqual(listener.problems(), [], `on ${channel}`);
}

/** Two processes start at the same time. The process that gains the lease first is killed while it publishes. */
async function raceOfProcesses(testbed: Testbed, channel: FaultChannel, rounds: number): Promise<void> {
  const random = testbed.random.fork(`race ${channel}`);
  await testbed.listen(channel);
  const listener = await PlainListener.listen(testbed, channel);
  for (let round = 0; round < rounds; round++) {
    const pair = ['left', 'right'].map(
      (name) => new WorkerCandidate(testbed, channel, { name: `${name} ${round}` }),
    );
    const gains = pair.map(async (candidate) => {
      await candidate.untilGained();
      return candidate;
    });
    const first = await Promise.race(gains);
    await eventually('The first process publishes', () => listener.writers.includes(first.name));
    await delay(random.int(1, 50));
    const killed = await first.end('kill');
    const second = pair.find((candidate) => candidate !== first);
    await Promise.all(gains);
    await eventually('The second process publishes', () => listener.writers.includes(second?.name ?? ''));
    await delay(random.int(1, 50));
    await second?.end('close');
    const unknown = killed.filter(({ outcome }) => outcome === 'unknown').length;
    testbed.note(`round ${round}: killed with ${unknown} messages of unknown outcome`);
  }
  deepEqual(listener.problems(), [], `on ${channel}`);
}

const EPOCHS_MISSED = 3;
const KEYS = ['A', 'B', 'C', 'D', 'E'];

export const awayDuringTakeovers: Scenario = {
  name: '38-away-during-takeovers',
  expected:
    'Messages of several terms during an outage of a subscriber are recovered or reported for each epoch.',
  waits: 'busy',
  async run(testbed) {
    for (const [channel, historyLength] of [
      [LEASED_TICKS, undefined],
      [LEASED_FILLS, undefined],
      [LEASED_FILLS, 7],
    ] as const) {
      const proxy = await testbed.proxy();
      const { recorder, statuses } = await testbed.listen(channel, { port: proxy.port });
      const writer = await LeaseCandidate.join(testbed, channel);
      await writer.untilHeld();
      for (const key of KEYS) await writer.send({ key });
      await testbed.settle();
      const awayAt = performance.now();
      proxy.refuse();
      proxy.reset();
      for (let epoch = 0; epoch < EPOCHS_MISSED; epoch++) {
        await writer.lease.release();
        await writer.start();
        await writer.sendUntilAccepted();
        // Each epoch writes fewer keys than the previous one, so that the last values include messages of every epoch.
        const keys = KEYS.slice(0, KEYS.length - 2 * epoch);
        for (const key of [...keys, ...keys]) await writer.send({ key });
      }
      if (historyLength !== undefined)
        await testbed.command('XTRIM', `tickbus:{${channel}}:history`, 'MAXLEN', String(historyLength));
      proxy.heal();
      await within('The subscriber is live again', statuses.first('live', awayAt));
      await testbed.settle();
      const reported = recorder.history.gaps.map(
        ({ cause, epoch, from, to }) => `${cause} ${epoch}-${from} to ${to ?? 'its end'}`,
      );
      testbed.note(`${channel}${historyLength === undefined ? '' : ', trimmed'}: ${reported.join(', ')}`);
      await writer.lease.close();
    }
  },
};
