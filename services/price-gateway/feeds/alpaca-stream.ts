// Extends the official Alpaca client, which hides error codes, whole frames, and the close of the socket.

import { streaming } from '@alpacahq/alpaca-trade-api';
import { type JsonObject, readAlpacaMessage } from '@tickbus/capture';
import type { WebSocket } from 'ws';
import { type BrokerError, findBrokerError } from './alpaca-errors.ts';
import { closeBrokerSocket, openBrokerSocket } from './broker-socket.ts';
import type { FeedEvent, RawFrame } from './feed.ts';
import { findMsgpackBomb } from './msgpack-check.ts';
import type { SubscriptionChange } from './subscription-plan.ts';
import { TurnCounter } from './turn-counter.ts';

export interface AlpacaStreamOptions {
  readonly url: string;
  readonly key: string;
  readonly secret: string;
}

export interface AlpacaStreamListener {
  onAuthenticated(): void;
  /** The broker has acknowledged a change; `symbols` are the instruments subscribed to both trades and quotes. */
  onSubscribed(symbols: readonly string[]): void;
  onFrame(events: readonly FeedEvent[]): void;
  onInvalidFrame(reason: string): void;
  onBrokerError(error: BrokerError): void;
  /** The broker sent data that would block the event loop. The listener must call `release` before it returns. */
  onAttack(reason: string): void;
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
  /** Counts messages that are not prices. The time to handle each one grows with the number of symbols. */
  readonly #others = new TurnCounter();
  /** The channels besides trades and quotes that changes include. Not all streams have them. */
  #extras: readonly string[] = EXTRA_CHANNELS;

  constructor({ url, key, secret }: AlpacaStreamOptions, listener: AlpacaStreamListener) {
    const wsFactory = () => openSocket(url, listener);
    super({ url, credentials: { keyId: key, secret }, reconnect: false, wsFactory });
    this.#listener = listener;
    this.on(streaming.EVENT.AUTHORIZED, () => listener.onAuthenticated());
    this.on(streaming.EVENT.SUBSCRIPTION, ({ trades, quotes }: SubscriptionAcknowledgement) =>
      listener.onSubscribed(inBoth(trades, quotes)),
    );
    // The client library reports two kinds of error here. While the socket is open, the error concerns one frame.
    // Otherwise the socket has failed.
    this.onError((reason) => {
      if (!this.#isOpen) return listener.onSocketError(reason);
      if (this.#mayRead(1)) listener.onInvalidFrame(reason);
    });
    this.onDisconnect(() => listener.onDisconnected());
  }

  /**
   * Omits a channel that the stream may not have from further changes; the broker does not say which one it lacks.
   * False if all are omitted.
   */
  omitChannel(): boolean {
    const [omitted, ...others] = this.#extras;
    this.#extras = others;
    return omitted !== undefined;
  }

  /**
   * Requests all data of instruments in one message, so that the broker accepts or refuses all. Corrections and
   * cancelled trades come with the trades.
   */
  requestChange({ action, symbols }: SubscriptionChange): void {
    const extras = Object.fromEntries(this.#extras.map((channel) => [channel, symbols]));
    this.send({ action, trades: symbols, quotes: symbols, ...extras });
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

  /**
   * Reads data here, and passes only control messages to the client. The client would stop at the first message that it
   * cannot read, and drop the rest of the frame.
   */
  protected override handleMessage(frame: unknown): void {
    if (this.#listener.onRaw !== undefined) this.#record(frame);
    if (!Array.isArray(frame)) throw new TypeError('a frame is not a list of messages');
    const error = findBrokerError(frame);
    if (error !== undefined) return this.#mayRead(1) ? this.#listener.onBrokerError(error) : undefined;
    const events: FeedEvent[] = [];
    const control: object[] = [];
    let invalid = 0;
    for (const message of frame as readonly unknown[]) {
      if (typeof message !== 'object' || message === null) invalid++;
      else if (isControl(message)) control.push(message);
      else {
        const event = readAlpacaMessage(message as JsonObject);
        // The gateway checks the values.
        if (event !== undefined) events.push(event as unknown as FeedEvent);
      }
    }
    if (!this.#mayRead(control.length + Math.min(invalid, 1))) return;
    if (invalid > 0) this.#listener.onInvalidFrame(`${invalid} messages of a frame cannot be read.`);
    try {
      if (control.length > 0) super.handleMessage(control);
    } finally {
      this.#listener.onFrame(events);
    }
  }

  /** False if the broker has sent too many messages other than prices in this turn; the session has ended then. */
  #mayRead(messages: number): boolean {
    if (messages === 0 || this.#others.add(messages) <= MAX_OTHERS_PER_TURN) return true;
    this.#listener.onAttack(
      `The broker sent more than ${MAX_OTHERS_PER_TURN} messages at once that are not prices.`,
    );
    return false;
  }

  #record(frame: unknown): void {
    let json: string;
    try {
      json = toJson(frame);
    } catch {
      // The frame is nested too deeply, or a timestamp is out of range.
      json = '"a frame that cannot be written as JSON"';
    }
    this.#listener.onRaw?.({ dir: 'in', json });
  }

  get #isOpen(): boolean {
    return this.conn?.readyState === OPEN;
  }
}

interface SubscriptionAcknowledgement {
  readonly trades: readonly string[];
  readonly quotes: readonly string[];
}

const OPEN = 1;
/** Price bands and trading statuses. Of the streams without statuses, such as crypto, none has price bands. */
const EXTRA_CHANNELS: readonly string[] = ['lulds', 'statuses'];
/** The types of messages that the client handles. */
const CONTROL: ReadonlySet<unknown> = new Set(['success', 'subscription', 'error']);
/** Maximum messages that are not prices. A broker sends one or two in answer to each message of the gateway. */
const MAX_OTHERS_PER_TURN = 64;

/**
 * Opens the socket, and checks each frame before the client library decodes it. `onAttack` disconnects that library,
 * which then ignores this frame and all later ones.
 */
function openSocket(url: string, { onAttack }: AlpacaStreamListener): streaming.WebSocketLike {
  const socket = openBrokerSocket(url, { 'Content-Type': 'application/msgpack' });
  socket.on('message', (frame: Buffer) => {
    const problem = findMsgpackBomb(frame);
    if (problem !== undefined) onAttack(`The broker sent a frame that is not decoded, because ${problem}.`);
  });
  return socket;
}

function isControl(message: object): boolean {
  return CONTROL.has((message as { readonly T?: unknown }).T);
}

function inBoth(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return some.filter((one) => known.has(one));
}

/** The frame as the broker sends it in JSON: timestamps in full precision, unsafe integers as strings. */
function toJson(frame: unknown): string {
  return JSON.stringify(frame, (_key, value: unknown) => {
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    return isTimestamp(value) ? value.toRFC3339() : value;
  });
}

function isTimestamp(value: unknown): value is { toDate(): Date; toRFC3339(): string } {
  return (
    typeof value === 'object' && value !== null && 'toDate' in value && typeof value.toDate === 'function'
  );
}
