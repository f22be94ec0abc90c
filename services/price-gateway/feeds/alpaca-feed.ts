// The feed of Alpaca's market data stream v2: trades and quotes over the one connection that an account has.

import { type BrokerError, describeBrokerError, isRetryable } from './alpaca-errors.ts';
import { AlpacaStream, type AlpacaStreamOptions } from './alpaca-stream.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import {
  createSessionFeed,
  type Session,
  type SessionFailure,
  type SessionListener,
} from './session-feed.ts';
import { text, webSocketUrl } from './setting.ts';
import { SubscriptionPlan } from './subscription-plan.ts';

export interface AlpacaFeedOptions {
  /** Where the stream is; the last part of its path names the venue. Default: Alpaca's free IEX feed. */
  readonly url?: string;
  readonly key: string;
  readonly secret: string;
  /** Milliseconds within which the broker must let us in, and answer each change of the instruments. Default 15,000. */
  readonly answerTimeoutMs?: number;
}

const DEFAULT_ALPACA_URL = 'wss://stream.data.alpaca.markets/v2/iex';

/** `FEED=alpaca`. */
export const alpaca = defineFeedKind({
  summary: "Alpaca's market data stream v2, with the official client",
  settings: {
    ALPACA_KEY: text('the key of your Alpaca account').describe('key of the Alpaca account (required)'),
    ALPACA_SECRET: text('the secret that belongs to the key').meta({
      description: 'its secret (required)',
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
 * The feed; nothing connects before `start`. `*` is all instruments of the venue.
 *
 * @throws TypeError when the URL is not a WebSocket address
 */
export function createAlpacaFeed(options: AlpacaFeedOptions): Feed {
  const settings = { url: DEFAULT_ALPACA_URL, answerTimeoutMs: 15_000, ...options };
  return createSessionFeed({
    name: 'alpaca',
    venue: venueOf(settings.url),
    open: (symbols, listener) => new AlpacaSession(settings, symbols, listener),
  });
}

type CompleteAlpacaOptions = AlpacaStreamOptions & { readonly answerTimeoutMs: number };

const CONNECTION_LOST: SessionFailure = {
  code: undefined,
  reason: 'The broker closed the connection.',
  retryable: true,
};

/** Errors that answer a change of the subscriptions; after them the session goes on as it was. */
const CHANGE_ERRORS: ReadonlySet<number> = new Set([400, 405, 410]);
const SYMBOL_LIMIT = 405;
/** What the broker says to a symbol that it cannot read. */
const INVALID_SYNTAX = 400;

/**
 * authenticating -> adjusting <-> settled, changed in `#adjust` only; live is told when it is settled for the first time. Any
 * error that does not answer a change ends the session: one that stayed open would hold the account's connection and
 * bring no prices.
 */
class AlpacaSession implements Session {
  readonly #settings: CompleteAlpacaOptions;
  readonly #listener: SessionListener;
  readonly #stream: AlpacaStream;
  readonly #plan = new SubscriptionPlan();
  #state: 'authenticating' | 'adjusting' | 'settled' = 'authenticating';
  #isLive = false;
  #answerTimeout: NodeJS.Timeout | undefined;
  #failure = CONNECTION_LOST;

  constructor(settings: CompleteAlpacaOptions, symbols: readonly string[], listener: SessionListener) {
    this.#settings = settings;
    this.#listener = listener;
    this.#plan.setRequested(symbols);
    this.#stream = new AlpacaStream(settings, {
      onAuthenticated: () => this.#requestNextChange(),
      onSubscribed: (served) => this.#onSubscribed(served),
      onFrame: (events) => listener.onFrame(events),
      onInvalidFrame: (reason) => listener.onInvalidFrame(reason),
      onBrokerError: (error) => this.#onBrokerError(error),
      onSocketError: (reason) => {
        this.#failure = retryableFailure(`The connection to the broker failed: ${reason}.`);
      },
      onDisconnected: () => this.#end(this.#failure),
      onRaw: listener.onRaw,
    });
    this.#startAnswerTimeout('authenticate the connection');
    this.#stream.connect();
  }

  setSymbols(symbols: readonly string[]): void {
    this.#plan.setRequested(symbols);
    if (this.#state === 'settled') this.#requestNextChange();
  }

  release(withinMs: number): Promise<void> {
    clearTimeout(this.#answerTimeout);
    return this.#stream.release(withinMs);
  }

  /** Asks for the next change, or tells that there is none. */
  #requestNextChange(): void {
    clearTimeout(this.#answerTimeout);
    const change = this.#plan.next();
    this.#state = change === undefined ? 'settled' : 'adjusting';
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
    const answersChange = CHANGE_ERRORS.has(error.code) && this.#plan.pending?.action === 'subscribe';
    if (!answersChange) {
      return this.#end({
        code: error.code,
        reason: describeBrokerError(error),
        retryable: isRetryable(error),
      });
    }
    const isLimit = error.code === SYMBOL_LIMIT;
    const refusal = {
      code: error.code,
      isUnknown: error.code === INVALID_SYNTAX,
      reason: describeBrokerError(error),
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

  /** Who hears of it releases the session. */
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
    throw new TypeError('The URL of the Alpaca feed must begin with ws:// or wss:// and name a host.');
  }
  return new URL(url).pathname.split('/').findLast((part) => part !== '');
}
