// Starts a feed and records all its events.

import type { BandEvent, MarketEvent, TradeChange, TradingEvent } from '@tickbus/capture';
import type { Attempt, Feed, FeedListener, FeedState, RawFrame, Refusal } from '../../feeds/feed.ts';
import { ReceivedValues } from '../gateway.fixture.ts';

/** A started feed. Each connection is permitted immediately, unless `allowConnection` is replaced. */
export class ObservedFeed {
  readonly feed: Feed;
  readonly attempts = new ReceivedValues<Attempt>();
  readonly states = new ReceivedValues<FeedState>();
  readonly events = new ReceivedValues<MarketEvent>();
  /** Halts and their ends. */
  readonly trading = new ReceivedValues<TradingEvent>();
  /** Corrections and cancelled trades. */
  readonly changes = new ReceivedValues<TradeChange>();
  readonly bands = new ReceivedValues<BandEvent>();
  readonly invalid = new ReceivedValues<string>();
  readonly refusals = new ReceivedValues<Refusal>();
  readonly subscribed = new ReceivedValues<readonly string[]>();
  readonly raw = new ReceivedValues<RawFrame>();
  /** Frames with events of requested instruments. */
  frames = 0;
  /** Frames without such events. */
  heartbeats = 0;
  /** Events of instruments that were not requested. */
  unrequested = 0;
  allowConnection: FeedListener['mayConnect'];

  constructor(feed: Feed, symbols: readonly string[], grant: FeedListener['mayConnect'] = async () => {}) {
    this.feed = feed;
    this.allowConnection = grant;
    feed.setSymbols(symbols);
    feed.start({
      mayConnect: (attempt, signal) => {
        this.attempts.add(attempt);
        return this.allowConnection(attempt, signal);
      },
      onFrame: (events) => {
        this.frames++;
        for (const event of events) {
          if (event.kind === 'trade' || event.kind === 'quote') this.events.add(event);
          else if (event.kind === 'correction' || event.kind === 'cancel') this.changes.add(event);
          else if (event.kind === 'band') this.bands.add(event);
          else this.trading.add(event);
        }
      },
      onHeartbeat: () => {
        this.heartbeats++;
      },
      onInvalidFrame: this.invalid.add,
      onState: this.states.add,
      onSubscribed: this.subscribed.add,
      onRefused: this.refusals.add,
      onUnrequested: (events) => {
        this.unrequested += events;
      },
      onRaw: this.raw.add,
    });
  }

  async state<T extends FeedState['type']>(type: T, from = 0): Promise<Extract<FeedState, { type: T }>> {
    return (await this.states.until((state) => state.type === type, from)) as Extract<FeedState, { type: T }>;
  }
}
