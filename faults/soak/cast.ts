// Who lives through the soak: two shared publishers, two candidates for the lease of each leased channel, and for each numbered kind of
// channel a quick and a slow subscriber behind proxies.

import { type Figures, noFigures } from '@tickbus/fault-kit/check';
import type { TcpProxy } from '@tickbus/fault-kit/proxy';
import type { Random } from '@tickbus/test-kit/random';
import type { RedisPublisher } from 'tickbus';
import { Candidate, watchHolders } from '../candidate.ts';
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
} from '../channels.ts';
import type { Listener, Stage } from '../stage.ts';
import { eventually, pass } from '../wait.ts';
import { type Contest, holderOf } from './contest.ts';
import { FAULTS } from './faults.ts';

export const HARM = ['silent_lost', 'duplicates', 'out_of_order', 'made_up', 'inexact'] as const;

export interface Round {
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

interface Member extends Pick<Listener, 'subscriber' | 'statuses'> {
  readonly channel: NoteChannel;
  readonly isSlow: boolean;
}

export class Cast {
  readonly #stage: Stage;
  readonly #proxies: readonly TcpProxy[];
  readonly #publishers: readonly RedisPublisher[];
  readonly #contests: readonly Contest[];
  readonly #members: readonly Member[];

  private constructor(
    stage: Stage,
    proxies: TcpProxy[],
    publishers: RedisPublisher[],
    contests: Contest[],
    members: Member[],
  ) {
    this.#stage = stage;
    this.#proxies = proxies;
    this.#publishers = publishers;
    this.#contests = contests;
    this.#members = members;
  }

  static async gather(stage: Stage): Promise<Cast> {
    const proxies = [await stage.proxy(), await stage.proxy(), await stage.proxy(), await stage.proxy()];
    const ports = proxies.map(({ port }) => port);
    const publishers = [stage.publisher(), stage.publisher(ports[0])];
    const contests: Contest[] = [];
    for (const channel of LEASED) {
      const first = await Candidate.join(stage, channel, { name: 'first', port: Number(ports[3]) });
      const second = await Candidate.join(stage, channel, { name: 'second', port: Number(ports[0]) });
      watchHolders(stage, [first, second]);
      contests.push({ channel, candidates: [first, second] });
    }
    const members: Member[] = [];
    for (const channel of CHANNELS) {
      for (const isSlow of [false, true]) {
        const { subscriber, statuses } = stage.subscriber(ports[isSlow ? 2 : 1]);
        // Its reader lives as long as this, whoever else comes and goes. It takes nothing, so that nothing is told of it.
        subscriber.subscribe(channel, () => {}, { where: () => false });
        subscriber.subscribe(CHAT, () => {});
        await subscriber.startListening();
        members.push({ subscriber, statuses, channel, isSlow });
      }
    }
    return new Cast(stage, proxies, publishers, contests, members);
  }

  /** Sends, does harm, heals, lets everybody catch up, and compares. */
  async play(random: Random): Promise<Round> {
    const stage = this.#stage;
    stage.beginRound();
    const problems: string[] = [];
    const faults: string[] = [];
    let figures = noFigures();
    try {
      // The last values of the round before would be seen by witnesses who know nothing of them.
      for (const channel of [TICKS, LEASED_TICKS]) await stage.command('DEL', `tickbus:{${channel}}:last`);
      for (const member of this.#members) await this.#join(member, random.fork('handler'));
      const harm = this.#doHarm(random.fork('harm'), faults);
      await this.#sendUntil(harm, random.fork('sending'));
      await harm;
      for (const channel of SHARED)
        for (const publisher of this.#publishers) await stage.sendUntilAccepted(publisher, channel);
      for (const contest of this.#contests) await sendUnderLease(contest);
      await stage.settle();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    const verdict = stage.verdict();
    figures = verdict.figures;
    if (HARM.some((name) => figures[name] > 0)) problems.push(...verdict.problems);
    problems.push(...stage.exceeded.splice(0));
    stage.beginRound();
    for (const { statuses } of this.#members) statuses.entries.length = 0;
    return { figures, problems, faults };
  }

  #join(member: Member, random: Random): Promise<Listener> {
    const { channel, isSlow } = member;
    const also = isSlow ? () => pass(random.int(0, 10)) : () => misbehave(random);
    const name = `${channel} ${isSlow ? 'slow' : 'quick'}`;
    return this.#stage.join(member, channel, { name, also, ...(isSlow ? { queueLimit: SLOW_QUEUE } : {}) });
  }

  async #doHarm(random: Random, done: string[]): Promise<void> {
    await pass(random.int(50, 300));
    for (let left = random.int(1, 4); left > 0; left--) {
      const fault = random.pick(FAULTS);
      done.push(fault.name);
      const proxy = this.#proxies[random.int(0, this.#proxies.length - 1)];
      const contest = random.pick(this.#contests as [Contest, ...Contest[]]);
      if (proxy !== undefined) await fault.harm({ stage: this.#stage, proxy, contest, random });
      if (random.percent(50)) await pass(random.int(0, 500));
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
        const sent = this.#stage.send(publisher, channel, { key: random.pick(KEYS) });
        pending.add(sent);
        void sent.then(() => pending.delete(sent));
      }
      await pass(random.int(1, 15));
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

async function sendUnderLease({ channel, candidates }: Contest): Promise<void> {
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
