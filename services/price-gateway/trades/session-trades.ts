// Publishes the trades of a session on TRADES: of the requested instruments, each once, and with every gap.

import type { TradeChange, TradeEvent } from '@tickbus/capture';
import type { TradeGap } from 'tickbus';
import type { SymbolDemand } from '../demand/symbol-demand.ts';
import type { FeedEvent } from '../feeds/feed.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { RecentTrades } from './recent-trades.ts';
import type { StoredTrades } from './stored-trades.ts';
import type { TradeCounts } from './trade-counts.ts';
import { TradeGaps } from './trade-gaps.ts';
import {
  type ChannelMessage,
  changeMessage,
  identitiesOf,
  isKeyOf,
  isLate,
  type TradeMessage,
  timeOf,
  tradeMessage,
} from './trade-messages.ts';
import { TradeSender, type TradeSenderOptions } from './trade-sender.ts';

export interface SessionTradesOptions
  extends Omit<TradeSenderOptions, 'onReady' | 'onRoom' | 'onPublished' | 'onRejected'> {
  /** The `venue` field of each trade. */
  readonly venue: string | undefined;
  /** The instruments whose trades are published, kept up to date by the gateway. */
  readonly demand: SymbolDemand;
  readonly counts: TradeCounts;
  readonly warnings: RateLimitedLog;
}

/** In the order of arrival. A gap comes before the trades that follow it. */
type Item =
  | { readonly kind: 'event'; readonly event: TradeEvent | TradeChange }
  | { readonly kind: 'gap'; readonly gap: TradeGap };

/** Trades that wait until the lease is held, at most. The oldest half is dropped beyond it. */
const MAX_WAITING = 100_000;

/**
 * Trades wait in a queue until they can be sent. Whether a trade is new is decided when it leaves the queue, because
 * only then is known what an earlier gateway has published.
 */
export class SessionTrades {
  readonly #options: SessionTradesOptions;
  readonly #sender: TradeSender;
  readonly #recent = new RecentTrades();
  readonly #gaps: TradeGaps;
  #queue: Item[] = [];
  #demandVersion: number | undefined;
  #isStarted = false;
  #hasLearned = false;
  #isClosed = false;

  constructor(options: SessionTradesOptions) {
    const { counts } = options;
    this.#options = options;
    this.#gaps = new TradeGaps((symbol) => options.demand.has(symbol));
    this.#sender = new TradeSender({
      ...options,
      onReady: (stored) => this.#onReady(stored),
      onRoom: () => this.#drain(),
      onPublished: (message) => countPublished(counts, message),
      onRejected: (message) => this.#lose(message.data, 'rejected'),
    });
  }

  /** See `TradeSender.problem`. */
  get problem(): string | undefined {
    return this.#sender.problem;
  }

  /** The number of trades that wait to be sent. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** The demand may have changed. */
  sync(): void {
    const { version } = this.#options.demand;
    if (version === this.#demandVersion) return;
    this.#demandVersion = version;
    this.#add(this.#gaps.sync());
  }

  /** @param symbols all symbols that the broker has acknowledged */
  acknowledge(symbols: readonly string[]): void {
    this.#add(this.#gaps.acknowledge(symbols));
  }

  /** Called with every frame of the feed. */
  onFrame(events: readonly FeedEvent[]): void {
    if (this.#isStarted) this.#gaps.onFrame(events);
  }

  /** The feed was interrupted. */
  interrupt(): void {
    this.#gaps.interrupt();
  }

  /** An event of the feed with a valid symbol and valid numbers. */
  add(event: TradeEvent | TradeChange): void {
    const { demand, counts } = this.#options;
    if (!demand.has(event.symbol)) return;
    if (event.kind === 'trade' && event.size === 0) {
      counts.unsized++;
      return;
    }
    this.#add(this.#gaps.begin(event.symbol));
    this.#enqueue({ kind: 'event', event });
  }

  /** Sends what waits, if the lease is held, and releases the lease. The feed must be closed before. */
  async stop(): Promise<void> {
    for (;;) {
      this.#drain();
      await this.#sender.settled();
      if (this.#queue.length === 0 || !this.#sender.canSend) break;
    }
    const counts = { waiting: this.#queue.length, unsettled: this.#sender.unsettled };
    if (counts.waiting + counts.unsettled > 0) this.#options.logger.warn(counts, UNPUBLISHED);
    await this.abort();
  }

  /** The lease of the prices is lost: publishes nothing more. */
  abort(): Promise<void> {
    this.#isClosed = true;
    this.#queue = [];
    return this.#sender.close();
  }

  /** The first gap precedes the first trade, so the lease is acquired only if an instrument is requested. */
  #add(gaps: readonly TradeGap[]): void {
    if (gaps.length === 0 || this.#isClosed) return;
    this.#isStarted = true;
    this.#sender.start();
    for (const gap of gaps) this.#enqueue({ kind: 'gap', gap });
  }

  #enqueue(item: Item): void {
    if (this.#isClosed) return;
    if (this.#queue.length === 0 && this.#sender.canSend) return this.#process(item);
    this.#queue.push(item);
    if (this.#queue.length > MAX_WAITING) this.#overflow();
  }

  #onReady(stored: StoredTrades): void {
    // Later, everything that is stored is from this session.
    if (!this.#hasLearned) this.#learn(stored);
    this.#hasLearned = true;
    this.#drain();
  }

  /** Learns from the server what earlier gateways have published. */
  #learn({ messages, knownFrom }: StoredTrades): void {
    /** By symbol, the time of the first message that is not late; of what is dropped, nothing happened later. */
    const oldest = new Map<string, number | undefined>();
    for (const message of messages) {
      const { symbol } = message.data;
      this.#gaps.learn(message);
      if (message.type === 'trade_gap') continue;
      for (const identity of identitiesOf(message)) this.#recent.remember(identity);
      oldest.set(symbol, oldest.get(symbol) ?? (isLate(message) ? undefined : timeOf(message)));
    }
    for (const [symbol, time = knownFrom] of oldest)
      if (time !== undefined) this.#recent.forgetUntil(time, symbol);
    if (knownFrom !== undefined) this.#recent.forgetUntil(knownFrom);
  }

  #drain(): void {
    let processed = 0;
    while (this.#sender.canSend) {
      const item = this.#queue[processed];
      if (item === undefined) break;
      processed++;
      this.#process(item);
    }
    this.#queue.splice(0, processed);
  }

  #process(item: Item): void {
    if (item.kind === 'gap') this.#sendGap(item.gap);
    else this.#sendIfNew(this.#messageOf(item.event));
  }

  #sendGap(gap: TradeGap): void {
    this.#recent.interrupt(gap.symbol);
    this.#sender.send({ type: 'trade_gap', data: this.#gaps.complete(gap) }, 1);
  }

  #messageOf(event: TradeEvent | TradeChange): TradeMessage {
    const { venue } = this.#options;
    if (event.kind === 'trade') return tradeMessage(event, venue);
    const happenedAt = this.#recent.timeOf(event.symbol, isKeyOf(event.original));
    return changeMessage(event, venue, happenedAt);
  }

  #sendIfNew(message: TradeMessage): void {
    const { counts, warnings } = this.#options;
    const [identity, result] = identitiesOf(message);
    const admission = this.#recent.admit(identity);
    if (admission.novelty !== 'new') {
      counts[admission.novelty]++;
      if (admission.novelty === 'forgotten')
        warnings.warn('forgotten trades', { symbol: message.data.symbol }, FORGOTTEN);
      return;
    }
    if (result !== undefined) this.#recent.remember(result);
    const happenedEarlier = message.type === 'trade' && admission.isLate;
    this.#sender.send(
      happenedEarlier ? { ...message, data: { ...message.data, late: true } } : message,
      admission.occurrence,
    );
  }

  /** Drops the oldest half. The gaps that report it come first. */
  #overflow(): void {
    const dropped = this.#queue.splice(0, MAX_WAITING / 2);
    for (const item of dropped)
      if (item.kind === 'event') this.#lose(item.event, 'overflow');
      else this.#gaps.merge(item.gap);
    this.#options.warnings.warn(
      'trades overflow',
      { dropped: dropped.length },
      'Dropped trades that Redis did not accept for too long; they are reported as gaps.',
    );
    const gaps = this.#gaps.take().map((gap): Item => ({ kind: 'gap', gap }));
    this.#queue = [...gaps, ...this.#queue];
  }

  /** Reports a message of the venue that is not published. */
  #lose({ symbol, ...data }: LostItem, reason: 'overflow' | 'rejected'): void {
    // A gap is never lost: only an invalid one is rejected.
    if (!('timestamp' in data)) return;
    this.#options.counts.lost++;
    const time = data.timestamp;
    this.#gaps.merge({ symbol, from: time, to: time, count: 1, reason });
    if (reason === 'rejected') this.#add(this.#gaps.take());
  }
}

type LostItem = ChannelMessage['data'] | TradeEvent | TradeChange;

const UNPUBLISHED =
  'The session of the feed ends without the lease of TRADES: waiting trades are not published, and it is unknown ' +
  'whether unsettled ones are. The next gateway reports a gap.';
const FORGOTTEN =
  'Dropped trades that the broker sent again and that are older than what is remembered: they may be published already.';

function countPublished(counts: TradeCounts, { type, data }: ChannelMessage): void {
  if (type === 'trade') counts[data.late ? 'late' : 'published']++;
  else if (type === 'trade_correction') counts.corrected++;
  else if (type === 'trade_cancel') counts.cancelled++;
}
