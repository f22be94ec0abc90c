// The official Alpaca client with what it keeps to itself: error codes, whole frames, and when the socket is closed.

import { streaming } from '@alpacahq/alpaca-trade-api';
import type { MarketEvent } from '@tickbus/capture';
import { type BrokerError, findBrokerError } from './alpaca-errors.ts';
import type { RawFrame } from './feed.ts';
import type { SubscriptionChange } from './subscription-plan.ts';

export interface AlpacaStreamOptions {
  readonly url: string;
  readonly key: string;
  readonly secret: string;
}

export interface AlpacaStreamListener {
  onAuthenticated(): void;
  /** The broker has changed the subscriptions; these are the instruments whose trades and quotes it sends now. */
  onSubscribed(symbols: readonly string[]): void;
  onFrame(events: readonly MarketEvent[]): void;
  onInvalidFrame(reason: string): void;
  onBrokerError(error: BrokerError): void;
  /** The socket failed; `onDisconnected` follows. */
  onSocketError(reason: string): void;
  /** The end of the session: by the broker, by a failure, or by `release()`. */
  onDisconnected(): void;
  readonly onRaw: ((frame: RawFrame) => void) | undefined;
}

/**
 * One session. The client's own reconnecting is off: it would try again after errors that trying cannot help, and give up
 * after ten. So is its own subscribing, which asks for trades and quotes apart and remembers what was refused. It calls
 * back with error texts only, so the codes are read here, and a frame that holds an error is not handed to it.
 */
export class AlpacaStream extends streaming.StockDataStream {
  readonly #listener: AlpacaStreamListener;
  #events: MarketEvent[] = [];

  constructor({ url, key, secret }: AlpacaStreamOptions, listener: AlpacaStreamListener) {
    super({ url, credentials: { keyId: key, secret }, reconnect: false });
    this.#listener = listener;
    this.onTrade((trade) => this.#events.push(toTradeEvent(trade)));
    this.onQuote((quote) => this.#events.push(toQuoteEvent(quote)));
    this.on(streaming.EVENT.AUTHORIZED, () => listener.onAuthenticated());
    this.on(streaming.EVENT.SUBSCRIPTION, ({ trades, quotes }: SubscriptionAcknowledgement) =>
      listener.onSubscribed(inBoth(trades, quotes)),
    );
    this.onError((reason) =>
      this.#isOpen ? listener.onInvalidFrame(reason) : listener.onSocketError(reason),
    );
    this.onDisconnect(() => listener.onDisconnected());
  }

  /** Asks for a change of trades and quotes together, so that the broker grants or refuses both. */
  requestChange({ action, symbols }: SubscriptionChange): void {
    this.send({ action, trades: symbols, quotes: symbols });
  }

  /** Ends the session; resolves when the broker has let go of the socket, which is cut when it has not by then. */
  release(withinMs: number): Promise<void> {
    const socket = this.conn;
    this.disconnect();
    if (socket === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate?.(), withinMs);
      socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  protected override resubscribe(): void {}

  protected override send(payload: unknown): void {
    this.#listener.onRaw?.({ dir: 'out', json: JSON.stringify(payload) });
    super.send(payload);
  }

  protected override handleMessage(frame: unknown): void {
    this.#listener.onRaw?.({ dir: 'in', json: toJson(frame) });
    const error = findBrokerError(frame);
    if (error !== undefined) return this.#listener.onBrokerError(error);
    try {
      super.handleMessage(frame);
    } finally {
      const events = this.#events;
      this.#events = [];
      this.#listener.onFrame(events);
    }
  }

  /** A failed socket is no longer open when its error is told, so what is told on an open one is about a frame. */
  get #isOpen(): boolean {
    return this.conn?.readyState === OPEN;
  }
}

interface SubscriptionAcknowledgement {
  readonly trades: readonly string[];
  readonly quotes: readonly string[];
}

const OPEN = 1;

function inBoth(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return some.filter((one) => known.has(one));
}

function toTradeEvent({ symbol, price, size, timestamp }: streaming.StreamTrade): MarketEvent {
  return { kind: 'trade', symbol, price, size, timestamp: timestamp.getTime() };
}

function toQuoteEvent(quote: streaming.StreamQuote): MarketEvent {
  const { symbol, bidPrice, bidSize, askPrice, askSize, timestamp } = quote;
  return {
    kind: 'quote',
    symbol,
    bid: bidPrice,
    bid_size: bidSize,
    ask: askPrice,
    ask_size: askSize,
    timestamp: timestamp.getTime(),
  };
}

/** The frame as the broker would have sent it in JSON: times with all their digits, and large numbers too. */
function toJson(frame: unknown): string {
  return JSON.stringify(frame, (_key, value: unknown) => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    return isTimestamp(value) ? value.toRFC3339() : value;
  });
}

function isTimestamp(value: unknown): value is { toRFC3339(): string } {
  return typeof value === 'object' && value !== null && 'toRFC3339' in value;
}
