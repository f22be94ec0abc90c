// The lease of a channel passes from one writer to the next: no two hold it at once, and nothing of a deposed holder is accepted.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Fault, TcpProxy } from '@tickbus/fault-kit/proxy';
import { ReplicaPair } from '@tickbus/fault-kit/replica-pair';
import { Candidate, TTL_MS, watchHolders } from '../candidate.ts';
import { LEASED_FILLS, LEASED_TICKS, type NoteChannel } from '../channels.ts';
import { Observer } from '../observer.ts';
import type { Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import { eventually, pass, within } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';

const CHANNELS = [LEASED_FILLS, LEASED_TICKS];
/** Much longer than two failovers take, so that the first holder still counts on its lease; shorter than silence ends a link (3 s). */
const LONG_TTL_MS = 2_500;

export const promotedAgain: Scenario = {
  name: '29-promoted-again',
  expected:
    'A master that is demoted, forgets a lease and is promoted again, all in one process: never two holders at once.',
  waits: 'busy',
  async run(stage) {
    const pair = await ReplicaPair.start(stage.random.fork('replication'));
    stage.atEnd(() => pair[Symbol.asyncDispose]());
    stage.moveTo(pair.master);
    const contests = await Promise.all(CHANNELS.map((channel) => prepareContest(stage, channel)));
    await pair.catchUp();
    pair.lag();
    for (const { first } of contests) {
      await first.start();
      await first.held();
    }
    const stops = contests.map(({ first }) => first.sendContinually());
    for (const { observer } of contests) await eventually('It is heard', () => observer.heard.length > 0);
    await pair.promote();
    await pair.demote();
    await pair.promote();
    // The first holder hears nothing of it, and what it publishes reaches the server after the takeover.
    for (const { address } of contests) address.inject({ type: 'stall' });
    for (const { first, second } of contests) {
      if (!first.lease.holds) stage.note('The failovers took longer than the lease.');
      await second.start();
    }
    for (const { address, second } of contests) {
      await second.held();
      await second.sendUntilAccepted();
      address.heal();
      stops.push(second.sendContinually());
    }
    await pass(TTL_MS);
    for (const stop of stops) await stop();
    for (const { second } of contests) await second.sendUntilAccepted();
    await stage.settle();
    for (const { observer } of contests) {
      deepEqual(observer.writers, ['first', 'second']);
      deepEqual(observer.problems(), []);
    }
  },
};

interface Contest {
  readonly first: Candidate;
  /** Where the first is connected. */
  readonly address: TcpProxy;
  readonly second: Candidate;
  readonly observer: Observer;
}

/** Both are ready to start, and the server remembers a lease that was released. */
async function prepareContest(stage: Stage, channel: NoteChannel): Promise<Contest> {
  await stage.listen(channel);
  const observer = await Observer.listen(stage, channel);
  const address = await stage.proxy();
  const first = new Candidate(stage, channel, { name: 'first', port: address.port, ttlMs: LONG_TTL_MS });
  const second = new Candidate(stage, channel, { name: 'second', ttlMs: LONG_TTL_MS });
  watchHolders(stage, [first, second]);
  await second.start();
  await second.held();
  equal(await second.lease.release(), true, 'the lease is released');
  return { first, address, second, observer };
}

export const holderStopped: Scenario = {
  name: '32-holder-stopped',
  expected:
    'A holder stopped past its lease with messages on their way: after the takeover none of them is accepted, nor when it wakes.',
  waits: 'busy',
  async run(stage) {
    await Promise.all(CHANNELS.map((channel) => stopHolder(stage, channel)));
    await stage.settle();
  },
};

async function stopHolder(stage: Stage, channel: NoteChannel): Promise<void> {
  const address = await stage.proxy();
  await stage.listen(channel);
  const observer = await Observer.listen(stage, channel);
  const holder = new WorkerCandidate(stage, channel, { name: 'stopped', port: address.port });
  await holder.gains();
  await eventually('The holder is heard', () => observer.heard.length > 0);
  const successor = await Candidate.join(stage, channel, { name: 'successor' });
  // What it sends from here on has left its process, and does not reach the server before the takeover.
  address.inject({ type: 'stall' }, 'to_server');
  await pass(50);
  holder.process.pause();
  await successor.held();
  for (let left = 20; left > 0; left--) await successor.send();
  const heardBefore = observer.heard.length;
  address.heal();
  for (let left = 20; left > 0; left--) await successor.send();
  holder.process.resume();
  await holder.process.hears('lost');
  const stop = successor.sendContinually();
  await pass(TTL_MS);
  await stop();
  const sent = await holder.end('close');
  ok(
    sent.some(({ outcome }) => outcome === 'accepted'),
    'the holder published before it was stopped',
  );
  ok(observer.heard.length > heardBefore, 'the successor is heard');
  deepEqual(observer.writers, ['stopped', 'successor']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

export const candidatesRace: Scenario = {
  name: '33-candidates-race',
  expected:
    'Two candidates start at once, and the holder releases, is cut off or is killed, again and again: one writer an epoch.',
  waits: 'busy',
  shortened: '8 rounds instead of 60, one of them with processes instead of 5',
  async run(stage) {
    await Promise.all([
      race(stage, LEASED_FILLS, stage.scaled(60, 8)),
      raceOfProcesses(stage, LEASED_TICKS, stage.scaled(5, 1)),
    ]);
    await stage.settle();
  },
};

/** What is sent is lost, or comes late. */
const CUT_OFF: readonly [Fault, ...Fault[]] = [{ type: 'blackhole' }, { type: 'stall' }];

/** The holder releases the lease, or is cut off until the other has taken over. */
async function race(stage: Stage, channel: NoteChannel, rounds: number): Promise<void> {
  const random = stage.random.fork(`race ${channel}`);
  await stage.listen(channel);
  const observer = await Observer.listen(stage, channel);
  const contestants = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const address = await stage.proxy();
      return { address, candidate: new Candidate(stage, channel, { name, port: address.port }) };
    }),
  );
  const candidates = contestants.map(({ candidate }) => candidate);
  watchHolders(stage, candidates);
  const stops = candidates.map((candidate) => candidate.sendContinually());
  const holder = () => contestants.find(({ candidate }) => candidate.lease.holds);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(candidates.map((candidate) => candidate.start()));
    await eventually('One of them holds the lease', () => holder() !== undefined);
    await pass(random.int(1, 30));
    const first = holder();
    if (first === undefined) continue;
    if (random.percent(60)) await first.candidate.lease.release();
    else first.address.inject(random.pick(CUT_OFF), random.pick(['both', 'to_client', 'to_server']));
    await eventually('The other takes over', () => (holder() ?? first) !== first);
    await pass(random.int(1, 30));
    first.address.heal();
    await Promise.all(candidates.map(({ lease }) => lease.release()));
  }
  await Promise.all(stops.map((stop) => stop()));
  stage.note(
    `${rounds} rounds, ${new Set(observer.heard.map(({ epoch }) => epoch)).size} epochs on ${channel}`,
  );
  deepEqual([...observer.writers].sort(), ['one', 'two']);
  deepEqual(observer.problems(), [], `on ${channel}`);
}

/** Two processes start at once, and the one that gains the lease is killed in the middle of publishing. */
async function raceOfProcesses(stage: Stage, channel: NoteChannel, rounds: number): Promise<void> {
  const random = stage.random.fork(`race ${channel}`);
  await stage.listen(channel);
  const observer = await Observer.listen(stage, channel);
  for (let round = 0; round < rounds; round++) {
    const pair = ['left', 'right'].map(
      (name) => new WorkerCandidate(stage, channel, { name: `${name} ${round}` }),
    );
    const gains = pair.map(async (candidate) => {
      await candidate.gains();
      return candidate;
    });
    const first = await Promise.race(gains);
    await eventually('The first is heard', () => observer.writers.includes(first.name));
    await pass(random.int(1, 50));
    const killed = await first.end('kill');
    const second = pair.find((candidate) => candidate !== first);
    await Promise.all(gains);
    await eventually('The second is heard', () => observer.writers.includes(second?.name ?? ''));
    await pass(random.int(1, 50));
    await second?.end('close');
    const unknown = killed.filter(({ outcome }) => outcome === 'unknown').length;
    stage.note(`round ${round}: killed with ${unknown} messages of unknown outcome`);
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
  async run(stage) {
    for (const [channel, keeps] of [
      [LEASED_TICKS, undefined],
      [LEASED_FILLS, undefined],
      [LEASED_FILLS, 7],
    ] as const) {
      const address = await stage.proxy();
      const { witness, statuses } = await stage.listen(channel, { port: address.port });
      const writer = await Candidate.join(stage, channel);
      await writer.held();
      for (const key of KEYS) await writer.send({ key });
      await stage.settle();
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
        await stage.command('XTRIM', `tickbus:{${channel}}:history`, 'MAXLEN', String(keeps));
      address.heal();
      await within('It is live again', statuses.first('live', awayAt));
      await stage.settle();
      const reported = witness.testimony.gaps.map(
        ({ cause, epoch, from, to }) => `${cause} ${epoch}-${from} to ${to ?? 'its end'}`,
      );
      stage.note(`${channel}${keeps === undefined ? '' : ', trimmed'}: ${reported.join(', ')}`);
      await writer.lease.close();
    }
  },
};
