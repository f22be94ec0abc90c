// Two candidates for the lease of a channel, as two gateways are. They publish in turn, also without the lease.

import type { TrafficPayload } from '@tickbus/fault-kit/traffic';
import { checkWriters, type ObservedMessage } from '@tickbus/fault-kit/writers';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import type { Published } from 'tickbus';
import type { FaultChannel } from '../fault-channels.ts';
import { LeaseCandidate, watchHolders } from '../lease-candidate.ts';
import type { Testbed } from '../testbed.ts';
import { eventually } from '../wait.ts';

export const RIVALS_TTL_MS = 3_000;

export class LeaseRivals {
  readonly channel: FaultChannel;
  readonly first: LeaseCandidate;
  readonly second: LeaseCandidate;
  /** Every accepted message, in the order of acceptance. */
  readonly #accepted: ObservedMessage[] = [];
  /** What happened to the leases, for the reader of a failure. */
  readonly #events: string[] = [];
  #calls = 0;

  private constructor(testbed: Testbed, channel: FaultChannel) {
    this.channel = channel;
    this.first = new LeaseCandidate(testbed, channel, { name: 'first', ttlMs: RIVALS_TTL_MS });
    this.second = new LeaseCandidate(testbed, channel, { name: 'second', ttlMs: RIVALS_TTL_MS });
    watchHolders(testbed, [this.first, this.second]);
    for (const { name, lease } of [this.first, this.second]) {
      const add = (event: string) =>
        this.#events.push(`${Math.round(performance.now())} ms ${name} ${event}`);
      lease.on('gained', () => add('gained'));
      lease.on('lost', ({ reason }) => add(`lost: ${reason}`));
    }
  }

  /** The candidates are not started yet. The lease is free. */
  static async create(testbed: Testbed, channel: FaultChannel): Promise<LeaseRivals> {
    await acquireAndRelease(channel, testbed.urlOf());
    return new LeaseRivals(testbed, channel);
  }

  /** Resolves when one of them holds the lease. */
  async start(): Promise<void> {
    await Promise.all([this.first.start(), this.second.start()]);
    await eventually(
      `A candidate holds the lease of ${this.channel}`,
      () => this.first.lease.holds || this.second.lease.holds,
    );
  }

  /** Publishes with one of them, in turn. */
  async publish(payload: TrafficPayload): Promise<Published> {
    const { name, publisher } = this.#calls++ % 2 === 0 ? this.first : this.second;
    const published = await publisher.publish(this.channel, payload);
    const { epoch = 0, seq = 0 } = published.position ?? {};
    this.#accepted.push({ n: payload.n, epoch, seq, sender: name });
    return published;
  }

  /** The last events and problems of the leases. */
  toString(): string {
    const problems = [this.first, this.second].map(
      ({ name, lease }) => `${name} ${lease.state}: ${lease.problem}`,
    );
    return [...this.#events.slice(-8), ...problems].join('; ');
  }

  /** One sentence per message that was accepted although the other candidate had already taken over. */
  problems(): string[] {
    // The ledger numbers the messages in the order of the calls. A late reply does not make a message late.
    return checkWriters(this.#accepted.toSorted((one, other) => one.n - other.n));
  }
}
