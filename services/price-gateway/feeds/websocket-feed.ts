// The feed of any WebSocket server. A mapping module of the user decodes and translates its frames.

import { isTooDeep } from '@tickbus/capture';
import { text, wholeNumber } from '@tickbus/settings/fields';
import { WebSocket } from 'ws';
import type { Mapping, VenueMessage } from '../mapping.ts';
import { BROKER_LIMITS, closeBrokerSocket, openBrokerSocket } from './broker-socket.ts';
import type { Feed } from './feed.ts';
import { retryAfterMsOf } from './feed-backoff.ts';
import { defineFeedKind } from './feed-kind.ts';
import { DecodeLimitError, MappedFrameDecoder } from './mapped-frame-decoder.ts';
import {
  describeUnread,
  type ItemListener,
  loadMapping,
  readMappedFrame,
  reasonOf,
} from './mapping-module.ts';
import { secretsOfUrl } from './redactor.ts';
import {
  createSessionFeed,
  type Session,
  type SessionFailure,
  type SessionListener,
} from './session-feed.ts';
import { webSocketUrl } from './setting.ts';
import { TurnCounter } from './turn-counter.ts';
import { ANSWER_LIMITS, AnswerLimit, encodeMessage, rawJsonOf, secretsOfMessage } from './venue-message.ts';

export interface WebSocketFeedOptions {
  readonly url: string;
  readonly mapping: Mapping;
  /**
   * Milliseconds between two pings; default 10,000, 0 disables pings. The session ends if neither a frame nor a pong
   * arrives between two pings.
   */
  readonly pingMs?: number;
  /** Maximum duration of the handshakes, milliseconds. Default 15,000. */
  readonly handshakeTimeoutMs?: number;
}

const DEFAULT_PING_MS = 10_000;

/** `FEED=websocket`. */
export const websocket = defineFeedKind({
  summary: 'any WebSocket server, with your own mapping module',
  settings: {
    // A secret, because the URL can contain a token.
    WEBSOCKET_URL: webSocketUrl().meta({ description: 'server to connect to (required)', secret: true }),
    WEBSOCKET_MAPPING: text('the path of your mapping module, such as ./my-mapping.mjs').describe(
      'your mapping module, such as ./my-mapping.mjs (required)',
    ),
    WEBSOCKET_PING_MS: wholeNumber(0, 3_600_000)
      .default(DEFAULT_PING_MS)
      .describe(`ms between two pings, 0 disables them (default ${DEFAULT_PING_MS})`),
  },
  create: async ({ WEBSOCKET_URL: url, WEBSOCKET_MAPPING: path, WEBSOCKET_PING_MS: pingMs }) =>
    createWebSocketFeed({ url, mapping: await loadMapping(path), pingMs }),
});

/** Creates the feed; `start` connects. */
export function createWebSocketFeed(options: WebSocketFeedOptions): Feed {
  const settings = {
    pingMs: DEFAULT_PING_MS,
    handshakeTimeoutMs: BROKER_LIMITS.handshakeTimeoutMs,
    ...options,
  };
  return createSessionFeed({
    name: 'websocket',
    venue: options.mapping.venue,
    // Without a venue, the host distinguishes the feeds.
    origin: options.mapping.venue === undefined ? new URL(options.url).host : undefined,
    secrets: secretsOfUrl(options.url),
    open: (symbols, listener) => new WebSocketSession(settings, symbols, listener),
  });
}

/** HTTP statuses of the handshake after which a retry is useless. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404]);

/** Maximum frames that are not JSON. Each takes about 20 µs, and one read from the socket can contain 65,000. */
const MAX_NOT_JSON_PER_TURN = 1_000;
/** A frame that `decode` rejects counts as so many that are not JSON: corrupt gzip takes about 200 µs. */
const UNDECODED_COST = 10;

/** opening -> open -> ended, following the socket. The session reports live when the socket opens. */
class WebSocketSession implements Session {
  readonly #options: Required<WebSocketFeedOptions>;
  readonly #listener: SessionListener;
  readonly #socket: WebSocket;
  #requested: ReadonlySet<string>;
  /** Symbols that were requested on this connection. */
  #subscribed: ReadonlySet<string> = new Set();
  readonly #notJson = new TurnCounter();
  readonly #decoder: MappedFrameDecoder | undefined;
  readonly #answers = new AnswerLimit();
  /** Receives the items of frames. */
  readonly #items: ItemListener;
  #pingTimer: NodeJS.Timeout | undefined;
  #isAlive = true;
  #failure: SessionFailure | undefined;

  constructor(
    options: Required<WebSocketFeedOptions>,
    symbols: readonly string[],
    listener: SessionListener,
  ) {
    const { url, mapping, handshakeTimeoutMs } = options;
    this.#options = options;
    this.#decoder = mapping.decode && new MappedFrameDecoder(mapping.decode);
    this.#listener = listener;
    this.#items = { ...listener, onSend: (message) => this.#answer(message) };
    this.#requested = new Set(symbols);
    this.#socket = openBrokerSocket(url, {}, handshakeTimeoutMs);
    this.#socket.on('open', () => this.#onOpen());
    this.#socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    this.#socket.on('ping', () => this.#markAlive());
    this.#socket.on('pong', () => this.#markAlive());
    this.#socket.on('unexpected-response', (_request, { statusCode = 0, headers }) =>
      this.#onHttpResponse(statusCode, retryAfterMsOf(headers['retry-after'])),
    );
    this.#socket.on('error', ({ message }) => {
      this.#failure ??= retryableFailure(undefined, `The connection failed: ${listener.clean(message)}.`);
    });
    this.#socket.on('close', (code, reason) =>
      this.#end(this.#failure ?? closedFailure(code, listener.clean(String(reason)))),
    );
  }

  setSymbols(symbols: readonly string[]): void {
    this.#requested = new Set(symbols);
    if (this.#socket.readyState === WebSocket.OPEN) this.#syncSubscriptions();
  }

  release(withinMs: number): Promise<void> {
    clearInterval(this.#pingTimer);
    this.#socket.removeAllListeners('message');
    return closeBrokerSocket(this.#socket, withinMs);
  }

  #onOpen(): void {
    const { pingMs, mapping } = this.#options;
    if (pingMs > 0) this.#pingTimer = setInterval(() => this.#ping(), pingMs);
    if (this.#sendMapped('open', () => mapping.open?.() ?? []) && this.#syncSubscriptions())
      this.#listener.onLive();
  }

  /** Sends the difference between the requested and the subscribed symbols. False if the mapping throws. */
  #syncSubscriptions(): boolean {
    const { mapping } = this.#options;
    const added = [...this.#requested].filter((symbol) => !this.#subscribed.has(symbol));
    const removed = [...this.#subscribed].filter((symbol) => !this.#requested.has(symbol));
    this.#subscribed = this.#requested;
    const isSent =
      (removed.length === 0 || this.#sendMapped('unsubscribe', () => mapping.unsubscribe?.(removed) ?? [])) &&
      (added.length === 0 || this.#sendMapped('subscribe', () => mapping.subscribe?.(added) ?? []));
    if (isSent && !mapping.acknowledges) this.#listener.onSubscribed([...this.#requested]);
    return isSent;
  }

  /** Sends the messages of the mapping. A mapping that throws would throw again, so the session ends permanently. */
  #sendMapped(name: string, messages: () => VenueMessage | readonly VenueMessage[]): boolean {
    try {
      for (const message of [messages()].flat()) this.#send(encodeMessage(message));
      return true;
    } catch (error) {
      const advice = 'Correct it, then restart the gateway.';
      const reason = `The function ${name} of the mapping failed: ${reasonOf(error)}. ${advice}`;
      this.#end({ code: undefined, reason, retryable: false });
      return false;
    }
  }

  /** Masks the secrets in the message from now on, because only the mapping knows them. */
  #send(content: string): void {
    this.#listener.addSecrets(secretsOfMessage(content));
    this.#listener.onRaw?.({ dir: 'out', json: rawJsonOf(content) });
    this.#socket.send(content);
  }

  /** Sends a message that answers a frame. */
  #answer(message: VenueMessage): void {
    const content = encodeMessage(message);
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#answers.permits(content)) return this.#send(content);
    const { messages, windowMs } = ANSWER_LIMITS;
    const limit = `${messages} messages or 1 MiB in ${windowMs / 1_000} s`;
    const reason = `The mapping returned more send items than permitted, ${limit}.`;
    this.#end(retryableFailure(undefined, `${reason} Combine them, or send fewer.`));
  }

  #onMessage(bytes: Buffer, isBinary: boolean): void {
    this.#markAlive();
    if (this.#decoder === undefined) return this.#onText(String(bytes));
    let decoded: unknown;
    try {
      decoded = this.#decoder.decode(bytes, isBinary);
    } catch (error) {
      if (error instanceof DecodeLimitError) return this.#end(retryableFailure(undefined, error.message));
      if (this.#isFlooded(UNDECODED_COST)) return;
      return this.#listener.onInvalidFrame(`The mapping cannot decode a frame: ${reasonOf(error)}`);
    }
    if (typeof decoded === 'string') return this.#onText(decoded);
    if (decoded === undefined) {
      this.#listener.onInvalidFrame(describeUnread(undefined));
      return this.#listener.onFrame([]);
    }
    this.#read(decoded, this.#listener.onRaw && jsonOf(decoded));
  }

  #onText(text: string): void {
    const isNested = isTooDeep(text);
    let frame: unknown;
    try {
      if (isNested) throw new Error('nested too deeply');
      frame = JSON.parse(text);
    } catch {
      if (this.#isFlooded(1)) return;
      // A mapping that decodes frames gets other texts too, such as `pong`.
      if (this.#decoder !== undefined && !isNested) return this.#read(text, JSON.stringify(text));
      this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify(text) });
      return this.#listener.onInvalidFrame(`The frame is not JSON: ${this.#listener.clean(text)}`);
    }
    this.#read(frame, text);
  }

  /** @param json the frame for the recorder; undefined if nothing is recorded */
  #read(frame: unknown, json: string | undefined): void {
    if (json !== undefined) this.#listener.onRaw?.({ dir: 'in', json });
    this.#listener.onFrame(readMappedFrame(this.#options.mapping, frame, this.#items));
  }

  /** Ends the session, and returns true, if the server sent too many frames in this turn that are not JSON. */
  #isFlooded(cost: number): boolean {
    if (this.#notJson.add(cost) <= MAX_NOT_JSON_PER_TURN) return false;
    const what = cost === 1 ? 'are not JSON' : 'cannot be decoded';
    const reason = `The server sent more than ${MAX_NOT_JSON_PER_TURN / cost} frames at once that ${what}.`;
    this.#end(retryableFailure(undefined, reason));
    return true;
  }

  #markAlive(): void {
    this.#isAlive = true;
  }

  #ping(): void {
    const { pingMs, mapping } = this.#options;
    if (!this.#isAlive)
      return this.#end(retryableFailure(undefined, `The server did not answer a ping within ${pingMs} ms.`));
    this.#isAlive = false;
    if (mapping.ping === undefined) this.#socket.ping();
    else this.#sendMapped('ping', () => mapping.ping?.() ?? []);
  }

  #onHttpResponse(status: number, retryAfterMs: number | undefined): void {
    const wait = retryAfterMs === undefined ? '' : ` and asks to wait ${Math.ceil(retryAfterMs / 1_000)} s`;
    const advice = FINAL_STATUSES.has(status) ? ' Check WEBSOCKET_URL, then restart the gateway.' : '';
    this.#end({
      code: status,
      reason: `The server refused the connection with HTTP status ${status}${wait}.${advice}`,
      retryable: !FINAL_STATUSES.has(status),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  /** Reports the end to the listener, which then releases the session. */
  #end(failure: SessionFailure): void {
    clearInterval(this.#pingTimer);
    this.#listener.onEnd(failure);
  }
}

function retryableFailure(code: number | undefined, reason: string): SessionFailure {
  return { code, reason, retryable: true };
}

function closedFailure(code: number, reason: string): SessionFailure {
  return retryableFailure(
    code,
    `The server closed the connection (${reason === '' ? code : `${code}, ${reason}`}).`,
  );
}

/** The decoded frame for the recorder. */
function jsonOf(frame: unknown): string {
  try {
    return JSON.stringify(frame) ?? 'null';
  } catch {
    return '"a frame that cannot be written as JSON"';
  }
}
