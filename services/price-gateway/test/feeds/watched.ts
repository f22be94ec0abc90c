// A feed with everything it tells kept, for the tests of every feed.

import type { MarketEvent } from '@tickbus/capture';
import type { Attempt, Feed, FeedListener, FeedState, RawFrame, Refusal } from '../../feeds/feed.ts';
import { Heard } from '../gateway.fixture.ts';

/** A started feed. Leave to connect is given at once, unless `grant` is replaced. */
export class Watched {
  readonly feed: Feed;
  readonly attempts = new Heard<Attempt>();
  readonly states = new Heard<FeedState>();
  readonly events = new Heard<MarketEvent>();
  readonly invalid = new Heard<string>();
  readonly refusals = new Heard<Refusal>();
  readonly subscribed = new Heard<readonly string[]>();
  readonly raw = new Heard<RawFrame>();
  frames = 0;
  grant: FeedListener['mayConnect'];

  constructor(feed: Feed, symbols: readonly string[], grant: FeedListener['mayConnect'] = async () => {}) {
    this.feed = feed;
    this.grant = grant;
    feed.setSymbols(symbols);
    feed.start({
      mayConnect: (attempt, signal) => {
        this.attempts.add(attempt);
        return this.grant(attempt, signal);
      },
      onFrame: (events) => {
        this.frames++;
        for (const event of events) this.events.add(event);
      },
      onInvalidFrame: this.invalid.add,
      onState: this.states.add,
      onSubscribed: this.subscribed.add,
      onRefused: this.refusals.add,
      onRaw: this.raw.add,
    });
  }

  async state<T extends FeedState['type']>(type: T, from = 0): Promise<Extract<FeedState, { type: T }>> {
    return (await this.states.until((state) => state.type === type, from)) as Extract<FeedState, { type: T }>;
  }
}
