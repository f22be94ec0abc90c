// A venue that a test drives: it has one connection at a time, and no server.

import type { VenueEvent } from '@tickbus/capture';
import type { Feed, FeedListener } from '../../feeds/feed.ts';

export class ScriptedVenue {
  /** Whether it accepts the connection. */
  #isUp = true;
  #feed: ScriptedFeed | undefined;
  /** The number of sessions, which tells them apart. */
  sessions = 0;

  readonly createFeed = async (): Promise<Feed> => new ScriptedFeed(this);

  /** The symbols that the gateway requests. */
  get requested(): readonly string[] {
    return this.#feed?.symbols ?? [];
  }

  /** The symbols that it serves now. */
  get served(): readonly string[] {
    return this.#isUp ? this.requested : [];
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Sends one frame. */
  send(events: readonly VenueEvent[]): void {
    if (this.#isUp && events.length > 0) this.#feed?.listener?.onFrame(events);
  }

  interrupt(): void {
    this.#isUp = false;
    this.#feed?.listener?.onState({ type: 'down', code: undefined, reason: 'Interrupted.', retryable: true });
  }

  resume(): void {
    this.#isUp = true;
    this.#feed?.begin();
  }

  /** A feed has started. */
  accept(feed: ScriptedFeed): void {
    this.#feed = feed;
    this.sessions++;
    if (this.#isUp) feed.begin();
    else feed.listener?.onState({ type: 'connecting' });
  }

  /** A feed is closed, or its process is gone. */
  leave(feed: ScriptedFeed | undefined = this.#feed): void {
    if (this.#feed === feed) this.#feed = undefined;
  }
}

class ScriptedFeed implements Feed {
  readonly name = 'scripted';
  readonly venue = undefined;
  readonly #venue: ScriptedVenue;
  listener: FeedListener | undefined;
  symbols: readonly string[] = [];

  constructor(venue: ScriptedVenue) {
    this.#venue = venue;
  }

  setSymbols(symbols: readonly string[]): void {
    this.symbols = symbols;
    if (this.#venue.isUp) this.listener?.onSubscribed(symbols);
  }

  start(listener: FeedListener): void {
    this.listener = listener;
    this.#venue.accept(this);
  }

  begin(): void {
    this.listener?.onState({ type: 'live' });
    this.listener?.onSubscribed(this.symbols);
  }

  reconnect(): void {}

  async close(): Promise<void> {
    this.listener = undefined;
    this.#venue.leave(this);
  }
}
