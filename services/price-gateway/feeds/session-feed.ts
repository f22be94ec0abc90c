// A feed that opens one session after another. Each session is one connection to the broker.

import type { Feed, FeedDown, FeedEvent, FeedListener, FeedState, RawFrame, Refusal } from './feed.ts';
import { namedSymbols } from './named-symbols.ts';
import { Redactor } from './redactor.ts';

/** Why a session ended. */
export type SessionFailure = Omit<FeedDown, 'type'>;

/** Receives a session's events. Events after `onEnd` or after `release` are ignored. */
export interface SessionListener {
  /**
   * Requests permission for an additional connection within this session. Rejects when the feed is closed or the
   * permission is denied.
   */
  mayConnect(): Promise<void>;
  /** The session is live, as defined by `FeedState`. Called once. */
  onLive(): void;
  /** See `FeedListener`. */
  onRecordingBegins(): void;
  /** Called for every frame, also for one without events: it shows that the connection is alive. */
  onFrame(events: readonly FeedEvent[]): void;
  /** @param frame the decoded frame, if it was decoded, to find out which instruments it is about */
  onInvalidFrame(reason: string, frame?: unknown): void;
  onSubscribed(symbols: readonly string[]): void;
  onRefused(refusal: Refusal): void;
  /** The session has ended. Only the first call has an effect. */
  onEnd(failure: SessionFailure): void;
  /** Undefined when nothing is recorded. */
  readonly onRaw: ((frame: RawFrame) => void) | undefined;
  /** Adds secrets of the session to those that are masked in everything that the feed reports. */
  addSecrets(secrets: readonly string[]): void;
  /** Makes a text of the broker safe for `reason`: without secrets, escaped, at most 200 characters. */
  clean(text: string): string;
}

/** One connection to the broker. It starts to connect when it is created. */
export interface Session {
  setSymbols(symbols: readonly string[]): void;
  /**
   * Closes the connection, even if it has failed, and terminates it after `withinMs` milliseconds. Resolves when it is
   * closed. Called once.
   */
  release(withinMs: number): Promise<void>;
}

export interface SessionFeedOptions {
  readonly name: string;
  readonly venue: string | undefined;
  /** See `Feed`. */
  readonly origin?: string | undefined;
  /** Keys, passwords and tokens. The feed masks them in everything that it reports. */
  readonly secrets: readonly string[];
  /** Opens a session for these instruments. Must not throw, and must not call the listener before it returns. */
  open(symbols: readonly string[], listener: SessionListener): Session;
}

/** Creates a feed that asks the listener for permission before it opens each session. */
export function createSessionFeed(options: SessionFeedOptions): Feed {
  return new SessionFeed(options);
}

/** Time for the broker to answer a close, milliseconds. */
const DEFAULT_CLOSE_TIMEOUT_MS = 2_000;
/** Maximum characters of a reason. A reason consists of sentences of the feed, which can quote a text of the broker. */
const MAX_REASON = 600;
/** Maximum characters of a code. */
const MAX_CODE = 40;
/** Maximum delay that a broker can ask for, milliseconds. */
const MAX_RETRY_AFTER_MS = 3_600_000;
/** Maximum secrets of a session that are masked. A mapping can sign each message, so their number has no bound. */
const MAX_SENT_SECRETS = 20;

/**
 * The states are those of `FeedState`; only `#setState` reports them. Invariant: a session opens only after the
 * previous one is released, because the broker would count both against its connection limit and refuse the new one.
 */
class SessionFeed implements Feed {
  readonly name: string;
  readonly venue: string | undefined;
  readonly origin: string | undefined;
  readonly #options: SessionFeedOptions;
  #redactor: Redactor;
  readonly #closeController = new AbortController();
  #listener: FeedListener | undefined;
  #symbols: readonly string[] = [];
  #requested: ReadonlySet<string> = new Set();
  #session: Session | undefined;
  /** The listener of the latest session. */
  #sessionListener: SessionListener | undefined;
  /** Sessions that ended since a price arrived. */
  #failures = 0;
  #released: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(options: SessionFeedOptions) {
    this.name = options.name;
    this.venue = options.venue;
    this.origin = options.origin;
    this.#options = options;
    this.#redactor = new Redactor(options.secrets);
  }

  setSymbols(symbols: readonly string[]): void {
    this.#requested = new Set(symbols);
    this.#symbols = [...this.#requested];
    this.#session?.setSymbols(this.#symbols);
  }

  reconnect(reason: string): void {
    // The broker did not refuse the connection, so the backoff does not grow.
    if (this.#session !== undefined) this.#failures = 0;
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
      const reason = `Connection not permitted: ${error instanceof Error ? error.message : error}`;
      return this.#setState({ type: 'down', code: undefined, reason, retryable: false });
    }
    await this.#released;
    if (signal.aborted) return;
    this.#setState({ type: 'connecting' });
    this.#sessionListener = this.#createSessionListener(listener);
    this.#session = this.#options.open(this.#symbols, this.#sessionListener);
  }

  /** Ignores events after the session has ended or `close` was called. */
  #createSessionListener(listener: FeedListener): SessionListener {
    let hasEnded = false;
    let sent: readonly string[] = [];
    const whileOpen =
      <Args extends unknown[]>(report: (...args: Args) => void) =>
      (...args: Args): void => {
        if (!hasEnded && !this.#closeController.signal.aborted) report(...args);
      };
    return {
      mayConnect: () =>
        listener.mayConnect({ failures: 0, after: undefined, isExtra: true }, this.#closeController.signal),
      onLive: whileOpen(() => this.#setState({ type: 'live' })),
      onRecordingBegins: whileOpen(() => listener.onRecordingBegins?.()),
      onFrame: whileOpen((events) => this.#onFrame(listener, events)),
      onInvalidFrame: whileOpen((reason, frame) =>
        listener.onInvalidFrame(this.#cleanReason(reason), namedSymbols(frame, this.#requested)),
      ),
      onSubscribed: whileOpen((symbols) =>
        listener.onSubscribed(symbols.filter((symbol) => this.#isRequested(symbol))),
      ),
      onRefused: whileOpen((refusal) => {
        // Otherwise a broker could fill INSTRUMENT_STATUS with refusals of other symbols.
        if (this.#requested.has(refusal.symbol)) listener.onRefused(this.#cleanFailure(refusal));
      }),
      addSecrets: (secrets) => {
        const added = secrets.filter((secret) => !sent.includes(secret)).slice(0, MAX_SENT_SECRETS);
        if (added.length === 0) return;
        // Keeps the first ones, which are those of a login, and the newest.
        sent = [...sent.slice(0, MAX_SENT_SECRETS - added.length), ...added];
        this.#redactor = new Redactor([...this.#options.secrets, ...sent]);
      },
      clean: (text) => this.#redactor.clean(text),
      onRaw: listener.onRaw && whileOpen((frame) => listener.onRaw?.(frame)),
      onEnd: whileOpen((failure) => {
        hasEnded = true;
        this.#onEnd(listener, failure);
      }),
    };
  }

  /** Drops events of instruments that are not requested: a broker can send any number of them. */
  #onFrame(listener: FeedListener, events: readonly FeedEvent[]): void {
    const requested = events.filter(({ symbol }) => this.#isRequested(symbol));
    if (requested.length > 0) {
      this.#failures = 0;
      listener.onFrame(requested);
    } else listener.onHeartbeat?.();
    if (requested.length === events.length) return;
    const example = events.find(({ symbol }) => !this.#isRequested(symbol));
    listener.onUnrequested?.(events.length - requested.length, this.#redactor.clean(String(example?.symbol)));
  }

  #isRequested(symbol: string): boolean {
    return this.#requested.has(symbol) || this.#requested.has('*');
  }

  #cleanReason(reason: string): string {
    return this.#redactor.clean(String(reason), MAX_REASON);
  }

  #cleanFailure<Failure extends Pick<SessionFailure, 'code' | 'reason'>>(failure: Failure): Failure {
    const code =
      typeof failure.code === 'string' ? this.#redactor.clean(failure.code, MAX_CODE) : failure.code;
    return { ...failure, code, reason: this.#cleanReason(failure.reason) };
  }

  #onEnd(listener: FeedListener, failure: SessionFailure): void {
    const { retryAfterMs = Number.NaN, ...rest } = this.#cleanFailure(failure);
    const delay = retryAfterMs >= 0 ? { retryAfterMs: Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) } : {};
    const down: FeedDown = { type: 'down', ...rest, ...delay };
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
