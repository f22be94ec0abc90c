// A desk on a cluster or behind Sentinel: traffic on channels of each kind, one of them with two lease candidates.

import { deepEqual } from 'node:assert/strict';
import { Traffic } from '@tickbus/fault-kit/traffic';
import { ALERTS, type FaultChannel, FILLS, LEASED_TICKS, ORDERS, TICKS } from '../fault-channels.ts';
import type { ServerGroup } from '../server-resources.ts';
import type { Testbed } from '../testbed.ts';
import { within } from '../wait.ts';
import { LeaseRivals, RIVALS_TTL_MS } from './lease-rivals.ts';

/** The channel of the lease candidates. */
export const LEASED = LEASED_TICKS;
export const CHANNELS: readonly FaultChannel[] = [TICKS, FILLS, ALERTS, ORDERS, LEASED];

interface LiveAgainOptions {
  /** Default: all. */
  readonly channels?: readonly FaultChannel[];
  /** Whether no server failed, so that the lease is kept. Default false. */
  readonly isOrderly?: boolean;
  /** Asked afterwards: milliseconds that the servers needed because of repeated elections. Default: none. */
  readonly electionDelayMs?: () => Promise<number>;
}

export class FailoverDesk {
  readonly traffic: Traffic<FaultChannel>;
  readonly #testbed: Testbed;
  readonly #rivals: LeaseRivals;

  private constructor(testbed: Testbed, traffic: Traffic<FaultChannel>, rivals: LeaseRivals) {
    this.traffic = traffic;
    this.#testbed = testbed;
    this.#rivals = rivals;
  }

  /** Resolves when every channel has traffic. */
  static async open(testbed: Testbed, group: ServerGroup): Promise<FailoverDesk> {
    testbed.moveToGroup(group);
    const rivals = await LeaseRivals.create(testbed, LEASED);
    await rivals.start();
    const publisher = testbed.publisher();
    await publisher.connect();
    const traffic = new Traffic({
      url: group.url,
      channels: CHANNELS,
      publish: (channel, payload) =>
        channel === LEASED ? rivals.publish(payload) : publisher.publish(channel, payload),
      logger: testbed.logger,
      ledger: testbed.ledger,
    });
    testbed.atEnd(() => traffic[Symbol.asyncDispose]());
    await traffic.start();
    return new FailoverDesk(testbed, traffic, rivals);
  }

  /**
   * Waits until each channel has reported a new epoch, and delivers what is published afterwards. The time from `since`
   * (`performance.now()`) is noted and limited.
   *
   * @param limitMs limit in milliseconds. After a failure, a channel under a lease may need two TTLs more
   */
  async liveAgain(
    since: number,
    limitMs: number,
    { channels = CHANNELS, isOrderly = false, electionDelayMs = async () => 0 }: LiveAgainOptions = {},
  ): Promise<void> {
    const shared = channels.filter((channel) => channel !== LEASED);
    const leased = channels.filter((channel) => channel === LEASED);
    const [sharedMs, leasedMs] = await Promise.all([this.#live(shared, since), this.#live(leased, since)]);
    const delayMs = await electionDelayMs();
    if (delayMs > 0) this.#testbed.note(`the servers repeated their election: ${delayMs} ms more`);
    this.#limit(shared, sharedMs, limitMs + delayMs);
    this.#limit(leased, leasedMs, limitMs + delayMs + (isOrderly ? 0 : 2 * RIVALS_TTL_MS));
  }

  /** Checks that only the links of these channels have reported a state. */
  expectChangedLinks(channels: readonly FaultChannel[]): void {
    const expected = channels.map(({ name }) => name).sort();
    deepEqual([...this.traffic.linkChanges].sort(), expected, 'the channels whose links changed');
  }

  /** Stops the traffic when every channel is live and every handler has everything. */
  async finish(): Promise<void> {
    await this.traffic.finish();
    this.#testbed.exceeded.push(...this.#rivals.problems());
  }

  /** Milliseconds until these channels are live. */
  async #live(channels: readonly FaultChannel[], since: number): Promise<number> {
    const names = channels.join(', ');
    await within(`${names}: a new epoch`, this.traffic.untilNewEpoch(channels));
    await within(`${names}: live again`, this.traffic.untilLive(channels));
    return Math.round(performance.now() - since);
  }

  #limit(channels: readonly FaultChannel[], took: number, limitMs: number): void {
    if (channels.length === 0) return;
    const text = `${channels.join(', ')}: live again after ${took} ms, bound ${limitMs} ms`;
    this.#testbed.note(text);
    if (took <= limitMs) return;
    this.#testbed.exceeded.push(text);
    if (channels.includes(LEASED)) this.#testbed.note(`leases: ${this.#rivals}`);
  }
}
