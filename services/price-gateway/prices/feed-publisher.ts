// What the holder of the lease publishes. Nothing here throws or waits: the next tick is newer than any retry could be.

import { type FeedStatus, type InstrumentStatus, type Price, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';

export interface FeedPublisherOptions {
  /** Carries the lease, so that nothing is published of a gateway that has lost it. */
  readonly publisher: RedisPublisher;
  /** Whether the lease is held now. What is told besides prices is fenced by nothing else. */
  readonly holdsLease: () => boolean;
  readonly counters: Counters;
  readonly warnings: RateLimitedLog;
}

export class FeedPublisher {
  readonly #options: FeedPublisherOptions;
  readonly #inFlight = new Set<Promise<void>>();

  constructor(options: FeedPublisherOptions) {
    this.#options = options;
  }

  publishPrice(price: Price): void {
    const { publisher, counters } = this.#options;
    this.#send(async () => {
      await publisher.publish(CHANNELS.PRICE_DATA, price);
      counters.published++;
    });
  }

  publishFeedStatus(status: FeedStatus): void {
    this.#send(() => this.#options.publisher.publish(CHANNELS.FEED_STATUS, truncateDetail(status)));
  }

  publishInstrumentStatus(status: InstrumentStatus): void {
    this.#send(() => this.#options.publisher.publish(CHANNELS.INSTRUMENT_STATUS, truncateDetail(status)));
  }

  /** Resolves when it is known of everything that was sent whether it was published. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #send(publish: () => Promise<unknown>): void {
    if (!this.#options.holdsLease()) return this.#options.counters.countFailure('TICKBUS_FENCED');
    const sent: Promise<void> = publish()
      .then(
        () => {},
        (error: unknown) => this.#fail(error),
      )
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  #fail(error: unknown): void {
    const { counters, warnings } = this.#options;
    const code = error instanceof TickbusError ? error.code : 'UNEXPECTED';
    counters.countFailure(code);
    warnings.warn(code, { code, reason: String(error) }, 'A message was not published.');
  }
}

/** The most characters of a detail that the channels take. */
const MAX_DETAIL_LENGTH = 1_000;

/** What a broker writes in its errors may be longer, and must not keep a heartbeat from being told. */
function truncateDetail<Status extends { readonly detail?: string | undefined }>(status: Status): Status {
  if (status.detail === undefined || status.detail.length <= MAX_DETAIL_LENGTH) return status;
  return { ...status, detail: `${status.detail.slice(0, MAX_DETAIL_LENGTH - 1)}…` };
}
