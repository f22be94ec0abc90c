// The official Alpaca client with what it keeps to itself: error codes, whole frames, and when the socket is closed.

import { streaming } from '@alpacahq/alpaca-trade-api';
import type { MarketEvent } from '@tickbus/capture';
import { type BrokerError, findBrokerError } from './alpaca-errors.ts';

export interface AlpacaStreamOptions {
  readonly url: string;
  readonly key: string;
  readonly secret: string;
  readonly symbols: readonly string[];
}

export interface AlpacaStreamListener {
  onSubscribed(): void;
  onFrame(events: readonly MarketEvent[]): void;
  onInvalidFrame(reason: string): void;
  onBrokerError(error: BrokerError): void;
  /** The socket failed; `onDisconnected` follows. */
  onSocketError(reason: string): void;
  /** The end of the session: by the broker, by a failure, or by `release()`. */
  onDisconnected(): void;
}

/**
 * One session. The client's own reconnecting is off: it would try again after errors
 * that trying cannot help, and give up after ten. It calls back with error texts only, so the codes are read here, and a
 * frame that holds an error is not handed to it.
 */
export class AlpacaStream extends streaming.StockDataStream {
  readonly #listener: AlpacaStreamListener;
  #events: MarketEvent[] = [];

  constructor({ url, key, secret, symbols }: AlpacaStreamOptions, listener: AlpacaStreamListener) {
    super({ url, credentials: { keyId: key, secret }, reconnect: false });
    this.#listener = listener;
    this.subscribeForTrades([...symbols]);
    this.subscribeForQuotes([...symbols]);
    this.onTrade((trade) => this.#events.push(toTradeEvent(trade)));
    this.onQuote((quote) => this.#events.push(toQuoteEvent(quote)));
    this.on(streaming.EVENT.SUBSCRIPTION, () => listener.onSubscribed());
    this.onError((reason) =>
      this.#isOpen ? listener.onInvalidFrame(reason) : listener.onSocketError(reason),
    );
    this.onDisconnect(() => listener.onDisconnected());
  }

  /** Ends the session; resolves when the broker has let go of the socket, which is cut when it does not answer. */
  release(): Promise<void> {
    const socket = this.conn;
    this.disconnect();
    if (socket === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate?.(), CLOSE_TIMEOUT_MS);
      socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  protected override handleMessage(frame: unknown): void {
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

const OPEN = 1;
/** How long the broker may take to answer a close. */
const CLOSE_TIMEOUT_MS = 2_000;

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
