// A feed made of sessions: each is one connection to the broker, and the next one begins after the last has let go.

import type { MarketEvent } from '@tickbus/capture';
import type { Feed, FeedDown, FeedListener, FeedState, RawFrame, Refusal } from './feed.ts';

/** Why a session ended. */
export type SessionFailure = Omit<FeedDown, 'type'>;

/** What a session tells. Whatever it tells after `onEnd`, or after it was released, is passed over. */
export interface SessionListener {
  /** Leave for one more connection within this session; rejects when the feed is closed meanwhile, or there will be none. */
  mayConnect(): Promise<void>;
  /** The broker lets us in. Once. */
  onLive(): void;
  onFrame(events: readonly MarketEvent[]): void;
  onInvalidFrame(reason: string): void;
  onSubscribed(symbols: readonly string[]): void;
  onRefused(refusal: Refusal): void;
  /** The session is over. The first call counts. */
  onEnd(failure: SessionFailure): void;
  /** Undefined when nobody wants raw frames. */
  readonly onRaw: ((frame: RawFrame) => void) | undefined;
}

/** One connection to the broker; it is being opened from the start. */
export interface Session {
  setSymbols(symbols: readonly string[]): void;
  /** Lets go of the connection, also of one that has failed; resolves when it is closed, by force after `withinMs`. Called once. */
  release(withinMs: number): Promise<void>;
}

export interface SessionFeedOptions {
  readonly name: string;
  readonly venue: string | undefined;
  /** Opens a session for these instruments. Must not throw, and must not tell anything before it returns. */
  open(symbols: readonly string[], listener: SessionListener): Session;
}

/** A feed that opens one session after the other, each with the listener's leave. */
export function createSessionFeed(options: SessionFeedOptions): Feed {
  return new SessionFeed(options);
}

/** How long a broker may take to answer a close. */
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;

/**
 * The states are those of `FeedState`, told in `#enter` only. Invariant: a session is opened only when the one before is
 * released, because the broker would count both against its limit and refuse the second.
 */
class SessionFeed implements Feed {
  readonly name: string;
  readonly venue: string | undefined;
  readonly #options: SessionFeedOptions;
  readonly #closeController = new AbortController();
  #listener: FeedListener | undefined;
  #symbols: readonly string[] = [];
  #session: Session | undefined;
  /** What that session tells. */
  #sessionListener: SessionListener | undefined;
  /** Sessions since the last live one. */
  #failures = 0;
  #released: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: SessionFeedOptions) {
    this.name = options.name;
    this.venue = options.venue;
    this.#options = options;
  }

  setSymbols(symbols: readonly string[]): void {
    this.#symbols = [...new Set(symbols)];
    this.#session?.setSymbols(this.#symbols);
  }

  reconnect(reason: string): void {
    this.#sessionListener?.onEnd({ code: undefined, reason, retryable: true });
  }

  start(listener: FeedListener): void {
    this.#listener = listener;
    void this.#connect(listener, undefined);
  }

  close(withinMs = DEFAULT_CLOSE_TIMEOUT_MS): Promise<void> {
    this.#closed ??= this.#close(withinMs);
    return this.#closed;
  }

  async #close(withinMs: number): Promise<void> {
    this.#closeController.abort();
    this.#release(withinMs);
    await this.#released;
    this.#setState({ type: 'stopped' });
    this.#listener = undefined;
  }

  async #connect(listener: FeedListener, after: FeedDown | undefined): Promise<void> {
    const { signal } = this.#closeController;
    try {
      await listener.mayConnect({ failures: this.#failures, after }, signal);
    } catch (error) {
      if (signal.aborted) return;
      const reason = `The connection was not allowed: ${error instanceof Error ? error.message : error}`;
      return this.#setState({ type: 'down', code: undefined, reason, retryable: false });
    }
    await this.#released;
    if (signal.aborted) return;
    this.#setState({ type: 'connecting' });
    this.#sessionListener = this.#createSessionListener(listener);
    this.#session = this.#options.open(this.#symbols, this.#sessionListener);
  }

  /** The listener of one session; it is deaf once the session has ended or the feed is being closed. */
  #createSessionListener(listener: FeedListener): SessionListener {
    let isOver = false;
    const unlessOver =
      <Args extends unknown[]>(tell: (...args: Args) => void) =>
      (...args: Args): void => {
        if (!isOver && !this.#closeController.signal.aborted) tell(...args);
      };
    return {
      mayConnect: () =>
        listener.mayConnect({ failures: 0, after: undefined, isExtra: true }, this.#closeController.signal),
      onLive: unlessOver(() => this.#onLive()),
      onFrame: unlessOver((events) => listener.onFrame(events)),
      onInvalidFrame: unlessOver((reason) => listener.onInvalidFrame(reason)),
      onSubscribed: unlessOver((symbols) => listener.onSubscribed(symbols)),
      onRefused: unlessOver((refusal) => listener.onRefused(refusal)),
      onRaw: listener.onRaw && unlessOver((frame) => listener.onRaw?.(frame)),
      onEnd: unlessOver((failure) => {
        isOver = true;
        this.#onEnd(listener, failure);
      }),
    };
  }

  #onLive(): void {
    this.#failures = 0;
    this.#setState({ type: 'live' });
  }

  #onEnd(listener: FeedListener, failure: SessionFailure): void {
    const down: FeedDown = { type: 'down', ...failure };
    this.#release(DEFAULT_CLOSE_TIMEOUT_MS);
    this.#setState(down);
    this.#failures++;
    if (down.retryable) void this.#connect(listener, down);
  }

  #release(withinMs: number): void {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.#released = session.release(withinMs);
  }

  #setState(state: FeedState): void {
    this.#listener?.onState(state);
  }
}
