// The feed of Alpaca's market data stream v2, over the account's single connection.

import { text } from '@tickbus/settings/fields';
import { type BrokerError, describeBrokerError, isRetryable } from './alpaca-errors.ts';
import { AlpacaStream, type AlpacaStreamOptions } from './alpaca-stream.ts';
import { BROKER_LIMITS } from './broker-socket.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { secretsOfUrl } from './redactor.ts';
import {
  createSessionFeed,
  type Session,
  type SessionFailure,
  type SessionListener,
} from './session-feed.ts';
import { webSocketUrl } from './setting.ts';
import { SubscriptionPlan } from './subscription-plan.ts';

export interface AlpacaFeedOptions {
  /** URL of the stream; the last path segment is the venue. Default: Alpaca's free IEX feed. */
  readonly url?: string;
  readonly key: string;
  readonly secret: string;
  /** Timeout for authentication and for the answer to each subscription change, milliseconds. Default 15,000. */
  readonly answerTimeoutMs?: number;
}

const DEFAULT_ALPACA_URL = 'wss://stream.data.alpaca.markets/v2/iex';

/** `FEED=alpaca`. */
export const alpaca = defineFeedKind({
  summary: "Alpaca's market data stream v2, with the official client",
  settings: {
    ALPACA_KEY: text('the key of your Alpaca account').describe('key of the Alpaca account (required)'),
    ALPACA_SECRET: text('the secret of your Alpaca account').meta({
      description: 'secret of the Alpaca account (required)',
      secret: true,
    }),
    ALPACA_URL: webSocketUrl()
      .default(DEFAULT_ALPACA_URL)
      .describe(`stream to connect to (default ${DEFAULT_ALPACA_URL})`),
  },
  create: ({ ALPACA_KEY: key, ALPACA_SECRET: secret, ALPACA_URL: url }) =>
    createAlpacaFeed({ key, secret, url }),
});

/**
 * Creates the feed; `start` connects. `*` requests all instruments of the venue.
 *
 * @throws TypeError if the URL is not a WebSocket URL
 */
export function createAlpacaFeed(options: AlpacaFeedOptions): Feed {
  const settings = { url: DEFAULT_ALPACA_URL, answerTimeoutMs: 15_000, ...options };
  return createSessionFeed({
    name: 'alpaca',
    venue: venueOf(settings.url),
    secrets: [settings.key, settings.secret, ...secretsOfUrl(settings.url)],
    open: (symbols, listener) => new AlpacaSession(settings, symbols, listener),
  });
}

type CompleteAlpacaOptions = AlpacaStreamOptions & { readonly answerTimeoutMs: number };

const CONNECTION_LOST: SessionFailure = {
  code: undefined,
  reason: 'The broker closed the connection.',
  retryable: true,
};

/** Errors that answer a subscription change. The session stays open and the subscriptions are unchanged. */
const CHANGE_ERRORS: ReadonlySet<number> = new Set([400, 405, 410]);
const SYMBOL_LIMIT = 405;
/** The broker's error for a channel that the stream does not have. */
const INVALID_CHANNEL = 410;
/** The broker's error for a malformed symbol. */
const INVALID_SYNTAX = 400;
/**
 * Maximum bytes of all requested symbols in one list. The broker acknowledges a change with the lists of all subscribed
 * symbols. A symbol can be in six lists: trades, quotes, statuses, price bands, corrections and cancelled trades.
 */
const MAX_LISTED_BYTES = 0.16 * BROKER_LIMITS.maxMessageBytes;
/** Bytes that a symbol takes in such a list besides its name: two quotation marks and a comma. */
const LISTED_OVERHEAD = 3;

/**
 * authenticating -> changing or settled;   changing <-> settled
 *
 * Only `#requestNextChange` changes the state. The session reports live when it is settled for the first time. Any
 * error that does not answer a change ends the session: an open session would occupy the account's connection without
 * delivering prices.
 */
class AlpacaSession implements Session {
  readonly #settings: CompleteAlpacaOptions;
  readonly #listener: SessionListener;
  readonly #stream: AlpacaStream;
  readonly #plan = new SubscriptionPlan();
  /** Requested symbols that exceed `MAX_LISTED_BYTES`, until they are reported as refused. */
  #excess: readonly string[] = [];
  #state: 'authenticating' | 'changing' | 'settled' = 'authenticating';
  #isLive = false;
  #answerTimeout: NodeJS.Timeout | undefined;
  #failure = CONNECTION_LOST;

  constructor(settings: CompleteAlpacaOptions, symbols: readonly string[], listener: SessionListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#setRequested(symbols);
    this.#stream = new AlpacaStream(settings, {
      onAuthenticated: () => this.#requestNextChange(),
      onSubscribed: (served) => this.#onSubscribed(served),
      onFrame: (events) => listener.onFrame(events),
      onInvalidFrame: (reason) => listener.onInvalidFrame(reason),
      onBrokerError: (error) => this.#onBrokerError(error),
      onAttack: (reason) => this.#end(retryableFailure(reason)),
      onSocketError: (reason) => {
        this.#failure = retryableFailure(`The connection to the broker failed: ${listener.clean(reason)}.`);
      },
      onDisconnected: () => this.#end(this.#failure),
      onRaw: listener.onRaw,
    });
    this.#startAnswerTimeout('authenticate the connection');
    this.#stream.connect();
  }

  setSymbols(symbols: readonly string[]): void {
    this.#setRequested(symbols);
    if (this.#state === 'settled') this.#requestNextChange();
  }

  release(withinMs: number): Promise<void> {
    clearTimeout(this.#answerTimeout);
    return this.#stream.release(withinMs);
  }

  #setRequested(symbols: readonly string[]): void {
    let bytes = 0;
    let count = 0;
    for (const symbol of symbols) {
      bytes += symbol.length + LISTED_OVERHEAD;
      if (bytes > MAX_LISTED_BYTES) break;
      count++;
    }
    this.#plan.setRequested(symbols.slice(0, count));
    this.#excess = symbols.slice(count);
  }

  #refuseExcess(): void {
    const reason = 'The broker could not acknowledge so many symbols in one message. Request fewer.';
    const excess = this.#excess;
    this.#excess = [];
    for (const symbol of excess)
      this.#listener.onRefused({ symbol, code: undefined, isUnknown: false, reason });
  }

  /** Sends the next subscription change; if there is none, the session is settled. */
  #requestNextChange(): void {
    clearTimeout(this.#answerTimeout);
    this.#refuseExcess();
    const change = this.#plan.next();
    this.#state = change === undefined ? 'settled' : 'changing';
    if (change !== undefined) {
      this.#startAnswerTimeout('acknowledge the subscription');
      this.#stream.requestChange(change);
    } else if (!this.#isLive) {
      this.#isLive = true;
      this.#listener.onLive();
    }
  }

  #onSubscribed(served: readonly string[]): void {
    const reason = 'The broker acknowledged the subscription without this instrument. Check its spelling.';
    const leftOut = this.#plan.acknowledge(served);
    this.#listener.onSubscribed(served);
    for (const symbol of leftOut)
      this.#listener.onRefused({ symbol, code: undefined, isUnknown: true, reason });
    this.#requestNextChange();
  }

  #onBrokerError(error: BrokerError): void {
    const { pending } = this.#plan;
    if (error.code === INVALID_CHANNEL && pending !== undefined && this.#stream.omitChannel())
      return this.#stream.requestChange(pending);
    const answersChange = CHANGE_ERRORS.has(error.code) && pending?.action === 'subscribe';
    if (!answersChange) {
      return this.#end({
        code: error.code,
        reason: describeBrokerError(error, this.#listener.clean),
        retryable: isRetryable(error),
      });
    }
    const isLimit = error.code === SYMBOL_LIMIT;
    const refusal = {
      code: error.code,
      isUnknown: error.code === INVALID_SYNTAX,
      reason: describeBrokerError(error, this.#listener.clean),
    };
    for (const symbol of this.#plan.refuse({ isLimit })) this.#listener.onRefused({ symbol, ...refusal });
    this.#requestNextChange();
  }

  #startAnswerTimeout(what: string): void {
    const { answerTimeoutMs } = this.#settings;
    this.#answerTimeout = setTimeout(() => {
      this.#end(retryableFailure(`The broker did not ${what} within ${answerTimeoutMs} ms.`));
    }, answerTimeoutMs);
  }

  /** Reports the end to the listener, which then releases the session. */
  #end(failure: SessionFailure): void {
    clearTimeout(this.#answerTimeout);
    this.#listener.onEnd(failure);
  }
}

function retryableFailure(reason: string): SessionFailure {
  return { code: undefined, reason, retryable: true };
}

function venueOf(url: string): string | undefined {
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError('The URL of the Alpaca feed must start with ws:// or wss:// and contain a host.');
  }
  return new URL(url).pathname.split('/').findLast((part) => part !== '');
}
