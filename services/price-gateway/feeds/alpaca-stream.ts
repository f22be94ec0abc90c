// Extends the official Alpaca client, which hides error codes, whole frames, and the close of the socket.

import { streaming } from '@alpacahq/alpaca-trade-api';
import type { MarketEvent } from '@tickbus/capture';
import { printable } from 'tickbus/admin';
import type { WebSocket } from 'ws';
import { type BrokerError, findBrokerError } from './alpaca-errors.ts';
import { closeBrokerSocket, openBrokerSocket } from './broker-socket.ts';
import type { FeedEvent, RawFrame, TradingEvent } from './feed.ts';
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
  #hasStatuses = true;

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

  /** Whether changes include the trading statuses of the instruments. Not all streams have them. */
  get hasStatuses(): boolean {
    return this.#hasStatuses;
  }

  /** The stream has no trading statuses. */
  omitStatuses(): void {
    this.#hasStatuses = false;
  }

  /** Requests all data of instruments in one message, so that the broker accepts or refuses all. */
  requestChange({ action, symbols }: SubscriptionChange): void {
    this.send({ action, trades: symbols, quotes: symbols, ...(this.#hasStatuses && { statuses: symbols }) });
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
   * Reads trades and quotes here, and passes only control messages to the client. The client would stop at the first
   * message that it cannot read, and drop the rest of the frame.
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
      else if (isData(message)) events.push(toMarketEvent(message));
      else if (isStatus(message)) events.push(...toTradingEvents(message));
      else control.push(message);
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

function inBoth(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return some.filter((one) => known.has(one));
}

/** A trade or a quote with unchecked fields. The names are those of the protocol. */
interface DataMessage {
  readonly T: 't' | 'q';
  readonly [field: string]: unknown;
}

function isData(message: object): message is DataMessage {
  const { T } = message as Partial<DataMessage>;
  return T === 't' || T === 'q';
}

/** A trading status with unchecked fields: the code and text of the status and of its reason. */
interface StatusMessage {
  readonly T: 's';
  readonly [field: string]: unknown;
}

function isStatus(message: object): message is StatusMessage {
  return (message as Partial<StatusMessage>).T === 's';
}

/**
 * Codes of the consolidated tapes. A and B (CTA): 2 is a halt, 3 its end. C (UTP): H is a halt, P a volatility pause, T
 * the end of either. The others, such as Q (quotes resume before trading does), do not change whether an instrument is
 * halted. Source: docs.alpaca.markets, "Real-time Stock Data", section "Trading Statuses"; the UTP specification,
 * "Trading Action".
 */
const HALTS: ReadonlySet<unknown> = new Set(['2', 'H', 'P']);
const RESUMPTIONS: ReadonlySet<unknown> = new Set(['3', 'T']);
const MAX_TEXT = 100;

function toTradingEvents({ S, sc, sm, rc, rm }: StatusMessage): readonly TradingEvent[] {
  if (typeof S !== 'string') return [];
  if (RESUMPTIONS.has(sc)) return [{ kind: 'resume', symbol: S }];
  if (!HALTS.has(sc)) return [];
  const texts = [sm, rc, rm].filter((text) => typeof text === 'string' && text !== '');
  const detail = texts.map((text) => printable(String(text), MAX_TEXT)).join(', ');
  return [{ kind: 'halt', symbol: S, ...(detail !== '' && { detail }) }];
}

/** Converts without checks: `PriceBook` checks the symbol and the numbers. */
function toMarketEvent({ T, S, p, s, bp, bs, ap, as, t }: DataMessage): MarketEvent {
  const symbol = S as string;
  const timestamp = toUnixMs(t);
  if (T === 't') return { kind: 'trade', symbol, price: toNumber(p), size: toNumber(s), timestamp };
  return {
    kind: 'quote',
    symbol,
    bid: toNumber(bp),
    bid_size: toNumber(bs),
    ask: toNumber(ap),
    ask_size: toNumber(as),
    timestamp,
  };
}

/** 64-bit integers of msgpack are decoded as `bigint`. A value that is not a number becomes NaN. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : Number.NaN;
}

function toUnixMs(time: unknown): number {
  if (isTimestamp(time)) return time.toDate().getTime();
  return typeof time === 'string' ? Date.parse(time) : Number.NaN;
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
