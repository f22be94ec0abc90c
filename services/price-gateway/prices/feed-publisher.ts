// Publishes prices and statuses while the gateway holds the lease. Publishing never throws or waits. A price that Redis
// did not accept is published again before the next heartbeats, unless a newer one has replaced it.

import { type FeedStatus, type InstrumentStatus, type Price, type PriceChannel, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';

export interface FeedPublisherOptions {
  /** Publishes prices under the lease: Redis rejects prices of a gateway that has lost the lease. */
  readonly publisher: RedisPublisher;
  /** The channel of the prices. */
  readonly channel: PriceChannel;
  /** Whether this gateway holds the lease now. On the status channels, no other check stops a former holder. */
  readonly holdsLease: () => boolean;
  readonly counters: Counters;
  readonly warnings: RateLimitedLog;
}

export class FeedPublisher {
  readonly #options: FeedPublisherOptions;
  readonly #inFlight = new Set<Promise<void>>();
  /** By symbol, the newest price, while a publish of it is in flight and nothing has made it outdated. */
  readonly #newest = new Map<string, Price>();
  /** By symbol, the newest price if Redis did not accept it, for example while the node of a partition fails over. */
  readonly #missing = new Map<string, Price>();
  /** Symbols whose last price is void by the last status. */
  readonly #void = new Set<string>();
  #isRepublishing = false;
  #problem: string | undefined;

  constructor(options: FeedPublisherOptions) {
    this.#options = options;
  }

  /** Why Redis did not accept the last message; undefined if it did. The heartbeat keeps it up to date. */
  get problem(): string | undefined {
    return this.#problem;
  }

  publishPrice(price: Price): void {
    this.#missing.delete(price.symbol);
    this.#newest.set(price.symbol, price);
    void this.#send(() => this.#publishPrice(price));
  }

  /**
   * The heartbeat of a live feed confirms all prices, so the missing ones are published first. A price from before an
   * interruption of the feed is no longer known to be current, and would look new.
   */
  publishFeedStatus(status: FeedStatus): void {
    if (status.state !== 'live') {
      this.#missing.clear();
      this.#newest.clear();
    }
    if (this.#missing.size > 0 && !this.#isRepublishing) void this.#republish();
    void this.#send(() => this.#options.publisher.publish(CHANNELS.FEED_STATUS, truncateDetail(status)));
  }

  /**
   * `unsubscribed` is the last status of an instrument: Redis then stores no status for the instrument. Resolves with
   * false if Redis did not accept the status, but may accept it later.
   *
   * That an instrument has a price again is published only after this price: before, the last one is void.
   */
  async publishInstrumentStatus(status: InstrumentStatus): Promise<boolean> {
    const endsKey = status.state === 'unsubscribed';
    const isVoid = status.market === 'no_price' || status.has_price === false;
    if (endsKey || isVoid) {
      this.#missing.delete(status.symbol);
      this.#newest.delete(status.symbol);
    } else if (this.#void.has(status.symbol)) {
      if (this.#newest.has(status.symbol)) await this.settled();
      if (this.#missing.has(status.symbol)) return false;
    }
    if (isVoid) this.#void.add(status.symbol);
    else this.#void.delete(status.symbol);
    let isAccepted = true;
    await this.#send(async () => {
      const { publisher } = this.#options;
      try {
        await publisher.publish(CHANNELS.INSTRUMENT_STATUS, truncateDetail(status), { endsKey });
      } catch (error) {
        isAccepted = !isRefused(error);
        throw error;
      }
    });
    return isAccepted;
  }

  /** Resolves when no publish is in flight. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #publishPrice(price: Price): Promise<void> {
    const { publisher, channel, counters } = this.#options;
    try {
      await publisher.publish(channel, price);
      counters.published++;
    } catch (error) {
      if (isRefused(error) && this.#newest.get(price.symbol) === price)
        this.#missing.set(price.symbol, price);
      throw error;
    } finally {
      if (this.#newest.get(price.symbol) === price) this.#newest.delete(price.symbol);
    }
  }

  /** In chunks, until none is missing or Redis rejects one again. */
  async #republish(): Promise<void> {
    this.#isRepublishing = true;
    for (let isAccepted = true; isAccepted && this.#missing.size > 0; ) {
      const chunk = [...this.#missing.values()].slice(0, MAX_CHUNK);
      for (const price of chunk) {
        this.#missing.delete(price.symbol);
        this.#newest.set(price.symbol, price);
      }
      await Promise.all(chunk.map((price) => this.#send(() => this.#publishPrice(price))));
      isAccepted = chunk.every(({ symbol }) => !this.#missing.has(symbol));
    }
    this.#isRepublishing = false;
  }

  #send(publish: () => Promise<unknown>): Promise<void> {
    const { counters, holdsLease } = this.#options;
    if (!holdsLease()) {
      counters.countFailure('TICKBUS_FENCED');
      return Promise.resolve();
    }
    const sent: Promise<void> = publish()
      .then(
        () => {
          this.#problem = undefined;
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
    return sent;
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

/** The number of missing prices that are published again at once. */
const MAX_CHUNK = 200;

const FINAL: readonly string[] = ['TICKBUS_INVALID_MESSAGE', 'TICKBUS_LIMIT_EXCEEDED', 'TICKBUS_CLOSED'];

/** Whether the same message may be accepted later. To publish a price or a status twice does no harm. */
function isRefused(error: unknown): boolean {
  return error instanceof TickbusError && !FINAL.includes(error.code);
}

/** Maximum characters of a detail in the channel schemas. */
const MAX_DETAIL_LENGTH = 1_000;

/** Shortens the detail: a broker's error text can exceed the limit, which would make the message invalid. */
function truncateDetail<Status extends { readonly detail?: string | undefined }>(status: Status): Status {
  if (status.detail === undefined || status.detail.length <= MAX_DETAIL_LENGTH) return status;
  return { ...status, detail: `${status.detail.slice(0, MAX_DETAIL_LENGTH - 1)}…` };
}
