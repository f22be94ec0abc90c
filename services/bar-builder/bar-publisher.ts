// Publishes the waiting bars, while it may, until Redis has accepted all of them.

import { setTimeout as sleep } from 'node:timers/promises';
import { type BarChannel, TickbusError } from 'tickbus';
import type { RedisPublisher } from 'tickbus/publisher';
import type { Draft, Publications } from './bars/publications.ts';

export interface BarPublisherOptions {
  /** Publishes under the lease of the channel. */
  readonly publisher: RedisPublisher;
  readonly channel: BarChannel;
  readonly publications: Publications;
  /** Whether this process holds the lease, and knows what was published before. */
  readonly mayPublish: () => boolean;
}

export interface PublishCounts {
  /** Bars published, revisions included. */
  readonly published: number;
  /** How many of them were revisions. */
  readonly revisions: number;
  /** How many of them said that trades are missing. */
  readonly incomplete: number;
  /** Failed publishes, by error code. The bars are published again, unless their message is invalid. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Bars that are published at once. */
const MAX_IN_FLIGHT = 500;
const RETRY_MS = 500;

export class BarPublisher {
  readonly #options: BarPublisherOptions;
  readonly #counts = { published: 0, revisions: 0, incomplete: 0 };
  readonly #failures: Record<string, number> = {};
  #publishing: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(options: BarPublisherOptions) {
    this.#options = options;
  }

  get counts(): PublishCounts {
    return { ...this.#counts, failures: { ...this.#failures } };
  }

  /** Why Redis did not accept the last bar; undefined if it did, and while no bar is to be published. */
  get problem(): string | undefined {
    return this.#hasWork ? this.#problem : undefined;
  }

  /** Starts to publish, unless it is publishing already. */
  start(): void {
    if (this.#hasWork)
      this.#publishing ??= this.#publish().finally(() => {
        this.#publishing = undefined;
      });
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    await this.#publishing;
  }

  get #hasWork(): boolean {
    const { publications, mayPublish } = this.#options;
    return publications.waiting > 0 && mayPublish();
  }

  /** A bar that Redis does not accept keeps its place, and later ones wait for it. */
  async #publish(): Promise<void> {
    for (let isAccepted = true; isAccepted && this.#hasWork; ) {
      const drafts = this.#options.publications.drafts(MAX_IN_FLIGHT);
      const outcomes = await Promise.all(drafts.map((draft) => this.#publishOne(draft)));
      isAccepted = outcomes.every((outcome) => outcome);
      if (!isAccepted && this.#hasWork) await sleep(RETRY_MS, undefined, { ref: false });
    }
  }

  async #publishOne(draft: Draft): Promise<boolean> {
    const { publisher, channel, publications } = this.#options;
    const { message } = draft;
    try {
      await publisher.publish(channel, message);
    } catch (error) {
      return this.#fail(draft, error);
    }
    this.#problem = undefined;
    publications.seen(message, true);
    this.#counts.published++;
    if (message.revision > 0) this.#counts.revisions++;
    if (!message.complete) this.#counts.incomplete++;
    return true;
  }

  #fail(draft: Draft, error: unknown): false {
    const { publications } = this.#options;
    const code = error instanceof TickbusError ? error.code : 'UNEXPECTED';
    this.#failures[code] = (this.#failures[code] ?? 0) + 1;
    if (code === 'TICKBUS_OUTCOME_UNKNOWN') publications.unsettled(draft);
    if (code === 'TICKBUS_INVALID_MESSAGE') publications.reject(draft);
    // After a lost lease or an invalid message, Redis still accepts other bars.
    if (code !== 'TICKBUS_FENCED' && code !== 'TICKBUS_INVALID_MESSAGE') this.#problem = String(error);
    return false;
  }
}
