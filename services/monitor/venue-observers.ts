// Observes the price channels of further venues, as soon as one of their gateways has a status.

import type {
  Channel,
  ChannelReport,
  Connection,
  Logger,
  Message,
  PriceChannel,
  SubscriberStatus,
} from 'tickbus';
import { priceChannel, venueOf } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import type { PriceVerdict } from './model/instrument-record.ts';

export interface VenueObserversOptions {
  readonly connection: Connection;
  readonly logger: Logger;
  /** Milliseconds before a channel that could not be observed is tried again. */
  readonly retryMs: number;
  /** Called once for each channel, before its first message. */
  readonly onChannel: (channel: PriceChannel) => void;
  readonly onMessage: (channel: PriceChannel, message: Message) => void;
  /** A gap, or a change of the link of one channel. */
  readonly onStatus: (status: SubscriberStatus) => void;
}

/** Maximum venues: anybody who may publish on FEED_STATUS can name a channel. */
const MAX_VENUES = 16;

/**
 * Each venue has a subscriber of its own. If the user of the monitor may not subscribe to one channel, the others, and
 * the bundled channels, are not affected.
 */
export class VenueObservers {
  readonly #options: VenueObserversOptions;
  readonly #channels = new Map<string, PriceChannel>();
  readonly #subscribers = new Map<string, RedisSubscriber>();
  readonly #retryAt = new Map<string, number>();
  #isClosed = false;

  constructor(options: VenueObserversOptions) {
    this.#options = options;
  }

  /** A gateway has a status for a channel of this name. Called for every status. */
  notice(name: string): void {
    if (!name.startsWith('PRICE_DATA.') || this.#subscribers.has(name) || this.#isClosed) return;
    if (performance.now() < (this.#retryAt.get(name) ?? 0)) return;
    const channel = this.#channels.get(name) ?? this.#add(name);
    if (channel !== undefined) void this.#observe(channel);
  }

  /** Undefined for a channel of no venue. */
  reportOf({ name }: Channel): ChannelReport | undefined {
    const channel = this.#channels.get(name);
    return channel && this.#subscribers.get(name)?.status(channel);
  }

  latestOf(symbol: string, channel: PriceChannel, maxAgeMs: number): PriceVerdict {
    return this.#subscribers.get(channel.name)?.latest(channel, symbol, { maxAgeMs }) ?? UNOBSERVED;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#subscribers.values()].map((one) => one.close({ timeoutMs: 500 })));
  }

  #add(name: string): PriceChannel | undefined {
    if (this.#channels.size >= MAX_VENUES) return undefined;
    try {
      const channel = priceChannel(venueOf(name));
      this.#channels.set(name, channel);
      this.#options.onChannel(channel);
      return channel;
    } catch {
      // A channel cannot have this name, so it is no gateway's.
      return undefined;
    }
  }

  async #observe(channel: PriceChannel): Promise<void> {
    const { connection, logger, onMessage, onStatus, retryMs } = this.#options;
    const { name } = channel;
    const subscriber = new RedisSubscriber({ connection, logger });
    this.#subscribers.set(name, subscriber);
    subscriber.subscribe(channel, (message) => onMessage(channel, message));
    subscriber.on('status', (status) => {
      if ('channel' in status && status.channel === name) onStatus(status);
    });
    try {
      await subscriber.startListening();
      for await (const status of subscriber.statusChanges()) if (status.type === 'failed') throw status.error;
    } catch (err) {
      logger.warn({ err, channel: name, retryMs }, 'Cannot observe the channel of a venue; trying again.');
    }
    this.#retryAt.set(name, performance.now() + retryMs);
    this.#subscribers.delete(name);
    await subscriber.close({ timeoutMs: 500 });
  }
}

const UNOBSERVED: PriceVerdict = {
  verdict: 'link_down',
  reason: 'The monitor does not receive this channel: its user may not subscribe to it, or the link is down.',
  changedAgoMs: Number.POSITIVE_INFINITY,
  instrument: undefined,
};
