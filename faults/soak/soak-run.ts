// Who lives through the soak: two shared publishers, two candidates for the lease of each leased channel, and for each numbered kind of
// channel a quick and a slow subscriber behind proxies.

import { type Figures, noFigures } from '@tickbus/fault-kit/check';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Random } from '@tickbus/test-kit/random';
import type { RedisPublisher } from 'tickbus';
import {
  ALERTS,
  CHAT,
  FILLS,
  LEASED_FILLS,
  LEASED_TICKS,
  type NoteChannel,
  ORDERS,
  TICKS,
  TRIMMED,
} from '../fault-channels.ts';
import { LeaseCandidate, watchHolders } from '../lease-candidate.ts';
import type { RecordedSubscriber, Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';
import { holderOf, type LeaseContest } from './lease-contest.ts';
import { FAULTS } from './soak-faults.ts';

export const HARM = ['silent_lost', 'duplicates', 'out_of_order', 'made_up', 'inexact'] as const;

export interface SoakRound {
  readonly figures: Figures;
  readonly problems: readonly string[];
  /** By name, in their order. */
  readonly faults: readonly string[];
}

const SHARED = [TICKS, FILLS, TRIMMED, ALERTS, ORDERS] as const;
const LEASED = [LEASED_TICKS, LEASED_FILLS] as const;
const CHANNELS = [...SHARED, ...LEASED] as const;
/** What is sent on a leased channel and goes to its holder, and not to whichever candidate, in percent. */
const TO_HOLDER = 80;
const KEYS = ['A', 'B', 'C', 'D', 'E'] as const;
/** Small, so that slow handlers overflow. */
const SLOW_QUEUE = 100;

interface SoakSubscriber extends Pick<RecordedSubscriber, 'subscriber' | 'statuses'> {
  readonly channel: NoteChannel;
  readonly isSlow: boolean;
}

export class SoakRun {
  readonly #testbed: Testbed;
  readonly #proxies: readonly TcpProxy[];
  readonly #publishers: readonly RedisPublisher[];
  readonly #contests: readonly LeaseContest[];
  readonly #subscribers: readonly SoakSubscriber[];

  private constructor(
    testbed: Testbed,
    proxies: TcpProxy[],
    publishers: RedisPublisher[],
    contests: LeaseContest[],
    members: SoakSubscriber[],
  ) {
    this.#testbed = testbed;
    this.#proxies = proxies;
    this.#publishers = publishers;
    this.#contests = contests;
    this.#subscribers = members;
  }

  static async create(testbed: Testbed): Promise<SoakRun> {
    const proxies = [
      await testbed.proxy(),
      await testbed.proxy(),
      await testbed.proxy(),
      await testbed.proxy(),
    ];
    const ports = proxies.map(({ port }) => port);
    const publishers = [testbed.publisher(), testbed.publisher(ports[0])];
    const contests: LeaseContest[] = [];
    for (const channel of LEASED) {
      const first = await LeaseCandidate.join(testbed, channel, { name: 'first', port: Number(ports[3]) });
      const second = await LeaseCandidate.join(testbed, channel, { name: 'second', port: Number(ports[0]) });
      watchHolders(testbed, [first, second]);
      contests.push({ channel, candidates: [first, second] });
    }
    const members: SoakSubscriber[] = [];
    for (const channel of CHANNELS) {
      for (const isSlow of [false, true]) {
        const { subscriber, statuses } = testbed.subscriber(ports[isSlow ? 2 : 1]);
        // The tap keeps the channel's reader open between rounds.
        subscriber.tap(channel, () => {});
        subscriber.subscribe(CHAT, () => {});
        await subscriber.startListening();
        members.push({ subscriber, statuses, channel, isSlow });
      }
    }
    return new SoakRun(testbed, proxies, publishers, contests, members);
  }

  /** Sends, does harm, heals, lets everybody catch up, and compares. */
  async runRound(random: Random): Promise<SoakRound> {
    const testbed = this.#testbed;
    testbed.beginRound();
    const problems: string[] = [];
    const faults: string[] = [];
    let figures = noFigures();
    try {
      // The last values of the round before would be seen by recorders who know nothing of them.
      for (const channel of [TICKS, LEASED_TICKS]) await testbed.command('DEL', `tickbus:{${channel}}:last`);
      for (const member of this.#subscribers) await this.#join(member, random.fork('handler'));
      const harm = this.#injectFaults(random.fork('harm'), faults);
      await this.#sendUntil(harm, random.fork('sending'));
      await harm;
      for (const channel of SHARED)
        for (const publisher of this.#publishers) await testbed.sendUntilAccepted(publisher, channel);
      for (const contest of this.#contests) await sendUnderLease(contest);
      await testbed.settle();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    const checked = testbed.checkHistory();
    figures = checked.figures;
    if (HARM.some((name) => figures[name] > 0)) problems.push(...checked.problems);
    problems.push(...testbed.exceeded.splice(0));
    testbed.beginRound();
    for (const { statuses } of this.#subscribers) statuses.entries.length = 0;
    return { figures, problems, faults };
  }

  #join(member: SoakSubscriber, random: Random): Promise<RecordedSubscriber> {
    const { channel, isSlow } = member;
    const also = isSlow ? () => delay(random.int(0, 10)) : () => misbehave(random);
    const name = `${channel} ${isSlow ? 'slow' : 'quick'}`;
    return this.#testbed.join(member, channel, {
      name,
      onMessage: also,
      ...(isSlow ? { queueLimit: SLOW_QUEUE } : {}),
    });
  }

  async #injectFaults(random: Random, done: string[]): Promise<void> {
    await delay(random.int(50, 300));
    for (let left = random.int(1, 4); left > 0; left--) {
      const fault = random.pick(FAULTS);
      done.push(fault.name);
      const proxy = this.#proxies[random.int(0, this.#proxies.length - 1)];
      const contest = random.pick(this.#contests as [LeaseContest, ...LeaseContest[]]);
      if (proxy !== undefined) await fault.inject({ testbed: this.#testbed, proxy, contest, random });
      if (random.percent(50)) await delay(random.int(0, 500));
    }
    for (const proxy of this.#proxies) proxy.heal();
  }

  async #sendUntil(harm: Promise<void>, random: Random): Promise<void> {
    let isOver = false;
    const stop = () => {
      isOver = true;
    };
    harm.then(stop, stop);
    const pending = new Set<Promise<unknown>>();
    while (!isOver) {
      for (let left = random.int(1, 8); left > 0; left--) {
        const channel = random.pick(CHANNELS);
        const publisher = this.#publisherOf(channel, random);
        if (publisher === undefined) continue;
        const sent = this.#testbed.send(publisher, channel, { key: random.pick(KEYS) });
        pending.add(sent);
        void sent.then(() => pending.delete(sent));
      }
      await delay(random.int(1, 15));
    }
    await Promise.all(pending);
  }

  #publisherOf(channel: NoteChannel, random: Random): RedisPublisher | undefined {
    const contest = this.#contests.find((one) => one.channel === channel);
    if (contest === undefined) return this.#publishers[random.int(0, 1)];
    const any = random.pick(contest.candidates);
    return (random.percent(TO_HOLDER) ? (holderOf(contest) ?? any) : any).publisher;
  }
}

async function sendUnderLease({ channel, candidates }: LeaseContest): Promise<void> {
  await eventually(`A publish on ${channel} is accepted again`, async () => {
    const sent = await Promise.all(candidates.map((candidate) => candidate.send()));
    return sent.some(({ outcome }) => outcome === 'accepted');
  });
}

/** A handler that fails costs nobody anything. */
function misbehave(random: Random): unknown {
  if (random.percent(1)) throw new Error('A handler throws.');
  return random.percent(1) ? Promise.reject(new Error('A handler rejects.')) : undefined;
}
