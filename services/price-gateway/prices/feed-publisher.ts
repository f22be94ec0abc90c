// Publishes prices and statuses while the gateway holds the lease. Publishing never throws, waits or retries: the next
// price is newer than a retry.

import { type FeedStatus, type InstrumentStatus, type Price, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';

export interface FeedPublisherOptions {
  /** Publishes PRICE_DATA under the lease: Redis rejects prices of a gateway that has lost the lease. */
  readonly publisher: RedisPublisher;
  /** Whether this gateway holds the lease now. On the status channels, no other check stops a former holder. */
  readonly holdsLease: () => boolean;
  readonly counters: Counters;
  readonly warnings: RateLimitedLog;
}

export class FeedPublisher {
  readonly #options: FeedPublisherOptions;
  readonly #inFlight = new Set<Promise<void>>();
  #problem: string | undefined;

  constructor(options: FeedPublisherOptions) {
    this.#options = options;
  }

  /** Why Redis did not accept the last message; undefined if it did. The heartbeat keeps it up to date. */
  get problem(): string | undefined {
    return this.#problem;
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

  /** `unsubscribed` is the last status of an instrument: Redis then stores no status for the instrument. */
  publishInstrumentStatus(status: InstrumentStatus): void {
    const options = { endsKey: status.state === 'unsubscribed' };
    this.#send(() =>
      this.#options.publisher.publish(CHANNELS.INSTRUMENT_STATUS, truncateDetail(status), options),
    );
  }

  /** Resolves when no publish is in flight. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #send(publish: () => Promise<unknown>): void {
    if (!this.#options.holdsLease()) return this.#options.counters.countFailure('TICKBUS_FENCED');
    const sent: Promise<void> = publish()
      .then(
        () => {
          this.#problem = undefined;
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  #fail(error: unknown): void {
    const { counters, warnings } = this.#options;
    const code = error instanceof TickbusError ? error.code : 'UNEXPECTED';
    counters.countFailure(code);
    // An invalid message or a lost lease does not mean that Redis rejects the gateway's messages.
    if (code !== 'TICKBUS_INVALID_MESSAGE' && code !== 'TICKBUS_FENCED') this.#problem = String(error);
    warnings.warn(code, { code, reason: String(error) }, 'Publish failed.');
  }
}

/** Maximum characters of a detail in the channel schemas. */
const MAX_DETAIL_LENGTH = 1_000;

/** Shortens the detail: a broker's error text can exceed the limit, which would make the message invalid. */
function truncateDetail<Status extends { readonly detail?: string | undefined }>(status: Status): Status {
  if (status.detail === undefined || status.detail.length <= MAX_DETAIL_LENGTH) return status;
  return { ...status, detail: `${status.detail.slice(0, MAX_DETAIL_LENGTH - 1)}…` };
}
