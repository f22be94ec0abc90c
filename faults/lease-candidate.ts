// A candidate for the lease of a channel, with its publisher.

import type { SentRecord } from '@tickbus/fault-kit/records';
import { RedisLease, RedisPublisher, TickbusError } from 'tickbus';
import type { FaultChannel } from './fault-channels.ts';
import type { SendOptions, Testbed } from './testbed.ts';
import { delay, eventually } from './wait.ts';

export const TTL_MS = 1_000;
const BURST = 3;
const EVERY_MS = 5;

export interface LeaseCandidateOptions {
  /** The `sender` of its messages. Default `exclusive`. */
  readonly name?: string;
  /** The port that lease and publisher connect to. Default: the server or the group of the testbed. */
  readonly port?: number | undefined;
  /** `user:password`. Default: none. */
  readonly credentials?: string;
  /** Default: that of the library. */
  readonly deadlineMs?: number;
  /** Default `TTL_MS`. */
  readonly ttlMs?: number;
}

export class LeaseCandidate {
  readonly name: string;
  readonly lease: RedisLease;
  readonly publisher: RedisPublisher;
  readonly channel: FaultChannel;
  readonly #testbed: Testbed;

  /** The candidate is not started yet. */
  constructor(testbed: Testbed, channel: FaultChannel, options: LeaseCandidateOptions = {}) {
    const { name = 'exclusive', port, credentials, deadlineMs, ttlMs = TTL_MS } = options;
    const user = credentials === undefined ? '' : `${credentials}@`;
    const url = testbed.urlOf(port).replace('://', `://${user}`);
    const { logger } = testbed;
    this.name = name;
    this.channel = channel;
    this.#testbed = testbed;
    this.lease = new RedisLease({ channel, ttlMs, url, logger });
    this.publisher = new RedisPublisher({ url, lease: this.lease, logger, sender: name, deadlineMs });
    testbed.atEnd(async () => {
      await this.publisher.close();
      await this.lease.close();
    });
  }

  /** Creates and starts a candidate. */
  static async join(
    testbed: Testbed,
    channel: FaultChannel,
    options: LeaseCandidateOptions = {},
  ): Promise<LeaseCandidate> {
    const candidate = new LeaseCandidate(testbed, channel, options);
    await candidate.start();
    return candidate;
  }

  /** Starts the lease. Retries while its link is down. */
  async start(): Promise<void> {
    await eventually(`${this.name} is a candidate for ${this.channel}`, async () => {
      try {
        await this.lease.start();
        return true;
      } catch (error) {
        if (error instanceof TickbusError && error.retryable) return false;
        throw error;
      }
    });
  }

  untilHeld(): Promise<void> {
    return eventually(`${this.name} holds the lease of ${this.channel}`, () => this.lease.holds);
  }

  send(options: SendOptions = {}): Promise<SentRecord> {
    return this.#testbed.send(this.publisher, this.channel, options);
  }

  sendUntilAccepted(): Promise<SentRecord> {
    return this.#testbed.sendUntilAccepted(this.publisher, this.channel);
  }

  /**
   * Sends messages every few milliseconds, even while the candidate does not hold the lease.
   *
   * @returns a function that stops and waits for the publishes in flight
   */
  sendContinually(): () => Promise<void> {
    const sending = new Set<Promise<unknown>>();
    let isStopped = false;
    const done = (async () => {
      while (!isStopped) {
        for (let left = BURST; left > 0; left--) {
          const sent: Promise<unknown> = this.send().finally(() => sending.delete(sent));
          sending.add(sent);
        }
        await delay(EVERY_MS);
      }
      await Promise.all(sending);
    })();
    return () => {
      isStopped = true;
      return done;
    };
  }
}

/** Fails the scenario if a candidate gains the lease while another one still holds it. */
export function watchHolders(testbed: Testbed, candidates: readonly LeaseCandidate[]): void {
  for (const candidate of candidates) {
    candidate.lease.on('gained', () => {
      for (const other of candidates)
        if (other !== candidate && other.lease.holds)
          testbed.exceeded.push(
            `${candidate.name} gained the lease of ${candidate.channel} while ${other.name} held it.`,
          );
    });
  }
}
