// Receives TRADES for a bar builder: stored trades first, then live ones, and everything that means that trades are
// missing.

import {
  type Clock,
  type Connection,
  type Envelope,
  type FeedStatus,
  type MessageOf,
  type Position,
  type TradeChannel,
  tradeChannel,
} from 'tickbus';
import { readStored } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import type { RedisSubscriber } from 'tickbus/subscriber';
import type { Arrival, BarBuilder } from './bars/bar-builder.ts';
import { precedes, unbroken } from './stored-messages.ts';

export interface TradeIntakeOptions {
  readonly subscriber: RedisSubscriber;
  readonly transport: Connection['publishing'];
  readonly channel: TradeChannel;
  /** The name of the channel of the prices of the same feed, which FEED_STATUS refers to. */
  readonly priceChannel: string;
  /** Undefined for all. */
  readonly symbols: ReadonlySet<string> | undefined;
  readonly builder: BarBuilder;
  readonly clock: Clock;
}

type TradeMessage = MessageOf<TradeChannel>;

/** `renumbered`: the positions of what follows do not continue those of before. */
type Gap = 'gap' | 'renumbered';

/**
 * Trades are missing after a gap on TRADES, an invalid message on TRADES, and an interruption of the feed. Everything
 * waits until the stored trades have been read (`start`), so that the builder gets all in order.
 */
export class TradeIntake {
  readonly #options: TradeIntakeOptions;
  /** What arrived before the stored trades were read; undefined after that. */
  #early: (TradeMessage | Gap)[] | undefined = [];
  /** The first and the last of the stored messages of each instrument. They can also arrive from the subscription. */
  readonly #stored = new Map<
    string,
    { readonly first: Partial<Position>; readonly last: Partial<Position> }
  >();
  /** Whether the feed receives what the venue sends; undefined before the first status. */
  #flows: boolean | undefined;
  /** When the feed became live, by the server's clock. */
  #liveSince: number | undefined;

  constructor(options: TradeIntakeOptions) {
    this.#options = options;
    const { subscriber, channel, symbols } = options;
    const { name } = channel;
    // In the receive path, because a handler would get the trades after the report of a gap that follows them.
    subscriber.tap(channel, ({ message }) => this.#receive(message));
    subscriber.on('gap', ({ channel: of, repaired, cause }) => {
      // Another number of partitions begins with a gap of cause `epoch`.
      if (of === name && !repaired) this.#receive(cause === 'epoch' ? 'renumbered' : 'gap');
    });
    subscriber.on('invalid_message', (invalid) => invalid.channel === name && this.#receive('gap'));
    subscriber.tap(CHANNELS.FEED_STATUS, ({ message }) => this.#onFeedStatus(message.data, message.at));
    // A tap requests nothing. This subscription names the instruments that the gateway has to request.
    if (symbols !== undefined)
      subscriber.subscribe(channel, () => {}, { keys: [...symbols], where: () => false });
  }

  /**
   * Reads the stored trades, of which only those count that were published since the feed became live: it may have been
   * interrupted before. Call it when the subscriber listens.
   *
   * @throws TickbusError if Redis cannot be read
   */
  async start(): Promise<void> {
    const { transport, channel, builder, clock } = this.#options;
    const { messages, at } = unbroken(await readStored(transport, channel, (message) => message));
    const liveSince = this.#liveSince ?? Number.NEGATIVE_INFINITY;
    const stored = messages.filter((one) => (one.at ?? 0) >= liveSince);
    // Without stored trades, all trades are known from the subscription on.
    if (stored.length === 0) builder.start(at);
    const now = clock.monotonic();
    for (const message of stored) {
      const publishedAt = message.at ?? at;
      const valid = checked(message);
      if (valid !== undefined) this.#remember(valid);
      this.#apply(valid, { monotonic: now - Math.max(0, at - publishedAt), at: publishedAt });
    }
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const one of early) this.#receive(one);
  }

  #receive(one: TradeMessage | Gap): void {
    if (this.#early !== undefined) {
      this.#early.push(one);
      return;
    }
    const { builder, clock } = this.#options;
    const monotonic = clock.monotonic();
    if (typeof one === 'string') {
      builder.gap(monotonic);
      if (one === 'renumbered') this.#stored.clear();
    } else if (!this.#isStored(one)) this.#apply(one, { monotonic, at: one.at ?? clock.now() });
  }

  /** The messages of an instrument are in one partition, so that their positions can be compared. */
  #remember(message: TradeMessage): void {
    const { symbol } = message.data;
    this.#stored.set(symbol, { first: this.#stored.get(symbol)?.first ?? message, last: message });
  }

  /** Whether the message was among the stored ones. */
  #isStored(message: TradeMessage): boolean {
    const stored = this.#stored.get(message.data.symbol);
    if (stored === undefined || precedes(message, stored.first)) return false;
    if (!precedes(stored.last, message)) return true;
    this.#stored.delete(message.data.symbol);
    return false;
  }

  #apply(message: TradeMessage | undefined, arrival: Arrival): void {
    const { builder, symbols } = this.#options;
    if (message === undefined) return builder.gap(arrival.monotonic);
    if (symbols !== undefined && !symbols.has(message.data.symbol)) return;
    if (message.message_type === 'trade') builder.trade(message.data, arrival);
    else if (message.message_type === 'trade_correction') builder.correct(message.data);
    else if (message.message_type === 'trade_cancel') builder.cancel(message.data);
    else builder.gap(arrival.monotonic, message.data);
  }

  /** `live_for_ms` also reveals an interruption between two heartbeats. */
  #onFeedStatus({ channel, state, live_for_ms: liveForMs }: FeedStatus, at: number | undefined): void {
    const { priceChannel, clock } = this.#options;
    if ((channel ?? CHANNELS.PRICE_DATA.name) !== priceChannel) return;
    const flows = state === 'live' || state === 'silent';
    const since = liveForMs === undefined ? this.#liveSince : (at ?? clock.now()) - liveForMs;
    const hasReconnected = since !== undefined && since > (this.#liveSince ?? since) + JITTER_MS;
    const hasStopped = !flows && this.#flows !== false;
    const hasResumed = flows && (this.#flows === false || hasReconnected);
    if (hasStopped || hasResumed) this.#receive('gap');
    this.#flows = flows;
    this.#liveSince = since;
  }
}

/** By how much the time of two heartbeats on their way to Redis can differ. */
const JITTER_MS = 1_000;

/** A stored message as a subscriber would deliver it; undefined if it is not valid. */
function checked(message: Envelope): TradeMessage | undefined {
  const { message_type: type, data } = message;
  const schema = SCHEMAS.get(type);
  const result = schema?.safeParse(data);
  return result?.success ? ({ ...message, data: result.data } as TradeMessage) : undefined;
}

const SCHEMAS = new Map(Object.entries(tradeChannel().messages));
