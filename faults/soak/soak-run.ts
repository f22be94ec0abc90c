// The soak: two publishers without a lease, and two lease candidates for each leased channel. Each channel except CHAT
// has a fast and a slow subscriber. All of them stay open through all rounds.

import { type Figures, noFigures } from '@tickbus/fault-kit/check';
import type { Random } from '@tickbus/test-kit/random';
import type { RedisPublisher } from 'tickbus';
import {
  ALERTS,
  CHAT,
  type FaultChannel,
  FILLS,
  LEASED_FILLS,
  LEASED_TICKS,
  ORDERS,
  TICKS,
  TRIMMED,
} from '../fault-channels.ts';
import { LeaseCandidate, watchHolders } from '../lease-candidate.ts';
import type { RecordedSubscriber, Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';
import { holderOf, type LeaseContest } from './lease-contest.ts';
import type { SoakSetting } from './soak-setting.ts';

export const DAMAGE = ['silent_lost', 'duplicates', 'out_of_order', 'made_up', 'inexact'] as const;

export interface SoakRound {
  readonly figures: Figures;
  readonly problems: readonly string[];
  /** Names of the injected faults, in order. */
  readonly faults: readonly string[];
}

const SHARED = [TICKS, FILLS, TRIMMED, ALERTS, ORDERS] as const;
const LEASED = [LEASED_TICKS, LEASED_FILLS] as const;
const CHANNELS = [...SHARED, ...LEASED] as const;
/** Percentage of publishes on a leased channel that use the holder. The others use a random candidate. */
const BY_HOLDER_PERCENT = 80;
const KEYS = ['A', 'B', 'C', 'D', 'E'] as const;
/** A small limit, so that slow handlers overflow. */
const SLOW_QUEUE_LIMIT = 100;

interface SoakSubscriber extends Pick<RecordedSubscriber, 'subscriber' | 'statuses'> {
  readonly channel: FaultChannel;
  readonly isSlow: boolean;
}

export class SoakRun {
  readonly #testbed: Testbed;
  readonly #setting: SoakSetting;
  readonly #publishers: readonly RedisPublisher[];
  readonly #contests: readonly LeaseContest[];
  readonly #subscribers: readonly SoakSubscriber[];

  private constructor(
    testbed: Testbed,
    setting: SoakSetting,
    publishers: RedisPublisher[],
    contests: LeaseContest[],
    members: SoakSubscriber[],
  ) {
    this.#testbed = testbed;
    this.#setting = setting;
    this.#publishers = publishers;
    this.#contests = contests;
    this.#subscribers = members;
  }

  static async create(testbed: Testbed, setting: SoakSetting): Promise<SoakRun> {
    const { ports } = setting;
    const publishers = [testbed.publisher(), testbed.publisher(ports[0])];
    const contests: LeaseContest[] = [];
    for (const channel of LEASED) {
      const first = await LeaseCandidate.join(testbed, channel, { name: 'first', port: ports[3] });
      const second = await LeaseCandidate.join(testbed, channel, { name: 'second', port: ports[0] });
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
    return new SoakRun(testbed, setting, publishers, contests, members);
  }

  /** Sends while it injects faults, then heals, waits until all subscribers have caught up, and checks the history. */
  async runRound(random: Random): Promise<SoakRound> {
    const testbed = this.#testbed;
    testbed.beginRound();
    const problems: string[] = [];
    const faults: string[] = [];
    let figures = noFigures();
    try {
      await this.#setting.heal();
      // The ledger of this round does not know the last values of the previous round.
      for (const channel of [TICKS, LEASED_TICKS])
        await testbed.commandFor(channel.name, 'DEL', `tickbus:{${channel}}:last`);
      for (const member of this.#subscribers) await this.#join(member, random.fork('handler'));
      const injecting = this.#injectFaults(random.fork('harm'), faults);
      await this.#sendUntil(injecting, random.fork('sending'));
      await injecting;
      for (const channel of SHARED)
        for (const publisher of this.#publishers) await testbed.sendUntilAccepted(publisher, channel);
      for (const contest of this.#contests) await sendUnderLease(contest);
      await testbed.settle();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    const checked = testbed.checkHistory();
    figures = checked.figures;
    if (DAMAGE.some((name) => figures[name] > 0)) problems.push(...checked.problems);
    problems.push(...testbed.exceeded.splice(0));
    testbed.beginRound();
    for (const { statuses } of this.#subscribers) statuses.entries.length = 0;
    return { figures, problems, faults };
  }

  #join(member: SoakSubscriber, random: Random): Promise<RecordedSubscriber> {
    const { channel, isSlow } = member;
    const onMessage = isSlow ? () => delay(random.int(0, 10)) : () => failAtRandom(random);
    const name = `${channel} ${isSlow ? 'slow' : 'fast'}`;
    return this.#testbed.join(member, channel, {
      name,
      onMessage,
      mayRepeatLastValues: this.#setting.mayRepeatLastValues,
      ...(isSlow ? { queueLimit: SLOW_QUEUE_LIMIT } : {}),
    });
  }

  async #injectFaults(random: Random, done: string[]): Promise<void> {
    await delay(random.int(50, 300));
    for (let left = random.int(1, 4); left > 0; left--) {
      const contest = random.pick(this.#contests as [LeaseContest, ...LeaseContest[]]);
      done.push(await this.#setting.inject(random, contest));
      if (random.percent(50)) await delay(random.int(0, 500));
    }
    await this.#setting.heal();
  }

  async #sendUntil(end: Promise<void>, random: Random): Promise<void> {
    let isStopped = false;
    const stop = () => {
      isStopped = true;
    };
    end.then(stop, stop);
    const pending = new Set<Promise<unknown>>();
    while (!isStopped) {
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

  #publisherOf(channel: FaultChannel, random: Random): RedisPublisher | undefined {
    const contest = this.#contests.find((one) => one.channel === channel);
    if (contest === undefined) return this.#publishers[random.int(0, 1)];
    const randomCandidate = random.pick(contest.candidates);
    return (random.percent(BY_HOLDER_PERCENT) ? (holderOf(contest) ?? randomCandidate) : randomCandidate)
      .publisher;
  }
}

async function sendUnderLease({ channel, candidates }: LeaseContest): Promise<void> {
  await eventually(`A publish on ${channel} is accepted again`, async () => {
    const sent = await Promise.all(candidates.map((candidate) => candidate.send()));
    return sent.some(({ outcome }) => outcome === 'accepted');
  });
}

/** Fails at random. A failing handler must not affect others. */
function failAtRandom(random: Random): unknown {
  if (random.percent(1)) throw new Error('A handler throws.');
  return random.percent(1) ? Promise.reject(new Error('A handler rejects.')) : undefined;
}
