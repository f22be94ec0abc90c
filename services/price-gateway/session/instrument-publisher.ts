// Publishes the statuses of instruments that changed, in chunks.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InstrumentStatus } from 'tickbus';
import type { InstrumentTracker } from '../demand/instrument-tracker.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';

export interface InstrumentPublisherOptions {
  readonly instruments: InstrumentTracker;
  readonly publisher: FeedPublisher;
  /** What all statuses have in common. */
  readonly about: Pick<InstrumentStatus, 'feed' | 'channel' | 'lease'>;
  /** Nothing is published while this is false. */
  readonly isRunning: () => boolean;
}

/** Instruments whose status is checked, and published if it has changed, in one turn of the event loop. */
const CHANGES_PER_TURN = 500;

export class InstrumentPublisher {
  readonly #options: InstrumentPublisherOptions;
  #isPublishing = false;
  /** The instruments whose status Redis did not accept. */
  #missing: string[] = [];

  constructor(options: InstrumentPublisherOptions) {
    this.#options = options;
  }

  /** Publishes the changes since the last call. */
  publishChanges(): void {
    if (this.#isPublishing || !this.#options.isRunning()) return;
    this.#isPublishing = true;
    void this.#publishInTurns();
  }

  /** Publishes again what Redis did not accept, for example while the node that serves the channel fails over. */
  publishMissing(): void {
    if (this.#missing.length === 0) return;
    this.#options.instruments.reportAgain(this.#missing);
    this.#missing = [];
    this.publishChanges();
  }

  /** Waits after each chunk, so that many changes do not delay lease renewals and prices, or fill the publish queue. */
  async #publishInTurns(): Promise<void> {
    const { instruments, publisher, about, isRunning } = this.#options;
    while (isRunning() && instruments.hasUnchecked) {
      const changes = instruments.takeChanges(CHANGES_PER_TURN);
      await Promise.all(
        changes.map(async (change) => {
          const isAccepted = await publisher.publishInstrumentStatus({ ...change, ...about });
          if (!isAccepted) this.#missing.push(change.symbol);
        }),
      );
      if (changes.length > 0) await publisher.settled();
      await nextTurn();
    }
    this.#isPublishing = false;
  }
}
