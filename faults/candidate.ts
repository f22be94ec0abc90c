// A candidate for the lease of a channel, with the publisher that writes there while the lease is held.

import type { Sent } from '@tickbus/fault-kit/records';
import { RedisLease, RedisPublisher, TickbusError } from 'tickbus';
import type { NoteChannel } from './channels.ts';
import type { SendOptions, Stage } from './stage.ts';
import { eventually, pass } from './wait.ts';

export const TTL_MS = 1_000;
const BURST = 3;
const EVERY_MS = 5;

export interface CandidateOptions {
  /** The `sender` of its messages. Default `exclusive`. */
  readonly name?: string;
  /** Where both the lease and the publisher connect to. Default: the server itself. */
  readonly port?: number;
  /** `user:password`. Default: none. */
  readonly credentials?: string;
  /** Default: the library's. */
  readonly deadlineMs?: number;
  /** Default `TTL_MS`. */
  readonly ttlMs?: number;
}

export class Candidate {
  readonly name: string;
  readonly lease: RedisLease;
  readonly publisher: RedisPublisher;
  readonly channel: NoteChannel;
  readonly #stage: Stage;

  /** Not started. */
  constructor(stage: Stage, channel: NoteChannel, options: CandidateOptions = {}) {
    const { name = 'exclusive', port = stage.redis.port, credentials, deadlineMs, ttlMs = TTL_MS } = options;
    const user = credentials === undefined ? '' : `${credentials}@`;
    const url = `redis://${user}127.0.0.1:${port}/0`;
    const { logger } = stage;
    this.name = name;
    this.channel = channel;
    this.#stage = stage;
    this.lease = new RedisLease({ channel, ttlMs, url, logger });
    this.publisher = new RedisPublisher({ url, lease: this.lease, logger, sender: name, deadlineMs });
    stage.atEnd(async () => {
      await this.publisher.close();
      await this.lease.close();
    });
  }

  /** A candidate that has been started; it holds the lease when nobody else does. */
  static async join(stage: Stage, channel: NoteChannel, options: CandidateOptions = {}): Promise<Candidate> {
    const candidate = new Candidate(stage, channel, options);
    await candidate.start();
    return candidate;
  }

  /** Starts the lease; tries again while its link is down, as after a cut. */
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

  held(): Promise<void> {
    return eventually(`${this.name} holds the lease of ${this.channel}`, () => this.lease.holds);
  }

  send(options: SendOptions = {}): Promise<Sent> {
    return this.#stage.send(this.publisher, this.channel, options);
  }

  sendUntilAccepted(): Promise<Sent> {
    return this.#stage.sendUntilAccepted(this.publisher, this.channel);
  }

  /** Sends every few milliseconds, also while somebody else holds the lease. @returns a function that stops and waits for what is under way */
  sendContinually(): () => Promise<void> {
    const sending = new Set<Promise<unknown>>();
    let isOver = false;
    const done = (async () => {
      while (!isOver) {
        for (let left = BURST; left > 0; left--) {
          const sent: Promise<unknown> = this.send().finally(() => sending.delete(sent));
          sending.add(sent);
        }
        await pass(EVERY_MS);
      }
      await Promise.all(sending);
    })();
    return () => {
      isOver = true;
      return done;
    };
  }
}

/** From here on the scenario fails when one of these gains the lease while another still holds it. */
export function watchHolders(stage: Stage, candidates: readonly Candidate[]): void {
  for (const candidate of candidates) {
    candidate.lease.on('gained', () => {
      for (const other of candidates)
        if (other !== candidate && other.lease.holds)
          stage.exceeded.push(
            `${candidate.name} gained the lease of ${candidate.channel} while ${other.name} held it.`,
          );
    });
  }
}
