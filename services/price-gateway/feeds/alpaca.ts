// The feed of Alpaca's market data stream v2: one connection, kept up through drops and refusals.

import { type BrokerError, explain, isRetryable } from './alpaca-errors.ts';
import { AlpacaStream } from './alpaca-stream.ts';
import type { Feed, FeedListener, FeedState } from './feed.ts';

export interface AlpacaFeedOptions {
  /** Where the stream is; the last part of its path names the venue. Default: `DEFAULT_ALPACA_URL`, the free IEX feed. */
  readonly url?: string;
  readonly key: string;
  readonly secret: string;
  /** The instruments whose trades and quotes are wanted; `*` is all of them. */
  readonly symbols: readonly string[];
  /** Milliseconds before the first new try; doubles with every failure up to `maxRetryMs`. Default 1,000. */
  readonly retryMs?: number;
  /** The longest wait between two tries, milliseconds. Default 60,000. */
  readonly maxRetryMs?: number;
  /** Milliseconds within which the broker must acknowledge the subscription. Default 15,000. */
  readonly handshakeTimeoutMs?: number;
}

export const DEFAULT_ALPACA_URL = 'wss://stream.data.alpaca.markets/v2/iex';

/**
 * The feed; nothing connects before `start`.
 *
 * @throws TypeError when there is no symbol, or the URL is not a WebSocket address
 */
export function createAlpacaFeed(options: AlpacaFeedOptions): Feed {
  return new AlpacaFeed(options);
}

const DEFAULTS = { url: DEFAULT_ALPACA_URL, retryMs: 1_000, maxRetryMs: 60_000, handshakeTimeoutMs: 15_000 };

interface Failure {
  readonly code?: number;
  readonly reason: string;
  readonly retryable: boolean;
}

const CONNECTION_LOST: Failure = { reason: 'The broker closed the connection.', retryable: true };

/**
 * The states are those of `FeedState`, changed in `#enter` only. Every session ends in `#onDisconnected`, whatever ended
 * it; `#failure` says why when that is known. Invariant: a new session begins only after the socket of the one before is
 * closed (`#released`), because the broker would count both against the limit and refuse the second.
 */
class AlpacaFeed implements Feed {
  readonly name = 'alpaca';
  readonly venue: string | undefined;
  readonly symbols: readonly string[];
  readonly #options: AlpacaFeedOptions & typeof DEFAULTS;
  #stream: AlpacaStream | undefined;
  #listener: FeedListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: Failure | undefined;
  /** Sessions since the last live one. */
  #attempts = 0;
  #released: Promise<void> = Promise.resolve();
  #isClosing = false;
  #closed: Promise<void> | undefined;

  constructor(options: AlpacaFeedOptions) {
    if (options.symbols.length === 0) throw new TypeError('The Alpaca feed needs at least one symbol.');
    this.#options = { ...DEFAULTS, ...options };
    this.venue = venueOf(this.#options.url);
    this.symbols = options.symbols;
  }

  start(listener: FeedListener): void {
    this.#listener = listener;
    this.#connect();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#released, this.#stream?.release()]);
    this.#enter({ type: 'stopped' });
    this.#listener = undefined;
  }

  #connect(): void {
    if (this.#isClosing) return;
    this.#enter({ type: 'connecting' });
    const { handshakeTimeoutMs } = this.#options;
    this.#timer = setTimeout(() => {
      const reason = `The broker did not acknowledge the subscription within ${handshakeTimeoutMs} ms.`;
      this.#end({ reason, retryable: true });
    }, handshakeTimeoutMs);
    this.#stream = this.#open();
    this.#stream.connect();
  }

  /** A new client for every session: the client remembers what the broker acknowledged as what is wanted. */
  #open(): AlpacaStream {
    return new AlpacaStream(this.#options, {
      onSubscribed: () => this.#onSubscribed(),
      onFrame: (events) => this.#listener?.onFrame(events),
      onInvalidFrame: (reason) => this.#listener?.onInvalidFrame(reason),
      onBrokerError: (error) => this.#onBrokerError(error),
      onSocketError: (reason) => {
        this.#failure = { reason: `The connection to the broker failed: ${reason}.`, retryable: true };
      },
      onDisconnected: () => this.#onDisconnected(),
    });
  }

  #onSubscribed(): void {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#enter({ type: 'live' });
  }

  /** Every error ends the session: one that stayed open would hold the account's connection and bring no prices. */
  #onBrokerError(error: BrokerError): void {
    this.#end({ code: error.code, reason: explain(error), retryable: isRetryable(error) });
  }

  #end(failure: Failure): void {
    this.#failure = failure;
    if (this.#stream !== undefined) this.#released = this.#stream.release();
  }

  #onDisconnected(): void {
    clearTimeout(this.#timer);
    if (this.#isClosing) return;
    const { code, reason, retryable } = this.#failure ?? CONNECTION_LOST;
    this.#failure = undefined;
    const retryInMs = retryable ? this.#nextDelay() : undefined;
    this.#enter({ type: 'down', code, reason, retryInMs });
    if (retryInMs === undefined) return;
    this.#timer = setTimeout(() => this.#released.then(() => this.#connect()), retryInMs);
  }

  #nextDelay(): number {
    const { retryMs, maxRetryMs } = this.#options;
    return Math.min(retryMs * 2 ** this.#attempts++, maxRetryMs);
  }

  #enter(state: FeedState): void {
    this.#listener?.onState(state);
  }
}

function venueOf(url: string): string | undefined {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError('The URL of the Alpaca feed must begin with ws:// or wss:// and name a host.');
  }
  return new URL(url).pathname.split('/').findLast((part) => part !== '');
}
