// Extends the official Alpaca client, which hides error codes, whole frames, and the close of the socket.

import { streaming } from '@alpacahq/alpaca-trade-api';
import type { MarketEvent } from '@tickbus/capture';
import type { WebSocket } from 'ws';
import { type BrokerError, findBrokerError } from './alpaca-errors.ts';
import { closeBrokerSocket, openBrokerSocket } from './broker-socket.ts';
import type { RawFrame } from './feed.ts';
import type { SubscriptionChange } from './subscription-plan.ts';

export interface AlpacaStreamOptions {
  readonly url: string;
  readonly key: string;
  readonly secret: string;
}

export interface AlpacaStreamListener {
  onAuthenticated(): void;
  /** The broker has acknowledged a change; `symbols` are the instruments subscribed to both trades and quotes. */
  onSubscribed(symbols: readonly string[]): void;
  onFrame(events: readonly MarketEvent[]): void;
  onInvalidFrame(reason: string): void;
  onBrokerError(error: BrokerError): void;
  /** The socket failed; `onDisconnected` follows. */
  onSocketError(reason: string): void;
  /** The session has ended: closed by the broker, failed, or closed by `release()`. */
  onDisconnected(): void;
  readonly onRaw: ((frame: RawFrame) => void) | undefined;
}

/**
 * One connection. The client's reconnecting is disabled: it retries after permanent errors and gives up after ten
 * attempts. The client's subscribing is also disabled: it requests trades and quotes separately and repeats refused
 * symbols. The client reports only error texts, so this class reads the error codes from the frames. It does not pass
 * frames with an error to the client.
 */
export class AlpacaStream extends streaming.StockDataStream {
  readonly #listener: AlpacaStreamListener;
  #events: MarketEvent[] = [];

  constructor({ url, key, secret }: AlpacaStreamOptions, listener: AlpacaStreamListener) {
    super({ url, credentials: { keyId: key, secret }, reconnect: false, wsFactory: openSocket });
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

  /** Requests trades and quotes in one message, so that the broker accepts or refuses both. */
  requestChange({ action, symbols }: SubscriptionChange): void {
    this.send({ action, trades: symbols, quotes: symbols });
  }

  /** Closes the session; resolves when the socket is closed. The socket is terminated after `withinMs` milliseconds. */
  release(withinMs: number): Promise<void> {
    // Created by `openBrokerSocket`.
    const socket = this.conn as WebSocket | undefined;
    this.disconnect();
    return socket === undefined ? Promise.resolve() : closeBrokerSocket(socket, withinMs);
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

  /** An error of the client on an open socket concerns a frame. Otherwise the socket has failed. */
  get #isOpen(): boolean {
    return this.conn?.readyState === OPEN;
  }
}

interface SubscriptionAcknowledgement {
  readonly trades: readonly string[];
  readonly quotes: readonly string[];
}

const OPEN = 1;

function openSocket(url: string): streaming.WebSocketLike {
  return openBrokerSocket(url, { 'Content-Type': 'application/msgpack' });
}

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

/** The frame as the broker sends it in JSON: timestamps in full precision, unsafe integers as strings. */
function toJson(frame: unknown): string {
  return JSON.stringify(frame, (_key, value: unknown) => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    return isTimestamp(value) ? value.toRFC3339() : value;
  });
}

function isTimestamp(value: unknown): value is { toRFC3339(): string } {
  return typeof value === 'object' && value !== null && 'toRFC3339' in value;
}
