// The feed of any WebSocket server that sends JSON. A mapping module of the user translates its frames.

import { isTooDeep } from '@tickbus/capture';
import { WebSocket } from 'ws';
import type { Mapping, VenueMessage } from '../mapping.ts';
import { secretsIn } from '../recorder/mask.ts';
import { BROKER_LIMITS, closeBrokerSocket, openBrokerSocket } from './broker-socket.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { loadMapping, readMappedFrame, reasonOf } from './mapping-module.ts';
import { secretsOfUrl } from './redactor.ts';
import {
  createSessionFeed,
  type Session,
  type SessionFailure,
  type SessionListener,
} from './session-feed.ts';
import { text, webSocketUrl, wholeNumber } from './setting.ts';
import { TurnCounter } from './turn-counter.ts';

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
  summary: 'any WebSocket server that sends JSON, with your own mapping module',
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
    secrets: secretsOfUrl(options.url),
    open: (symbols, listener) => new WebSocketSession(settings, symbols, listener),
  });
}

/** HTTP statuses of the handshake after which a retry is useless. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404]);

/** Maximum frames that are not JSON. Each takes about 20 µs, and one read from the socket can contain 65,000. */
const MAX_NOT_JSON_PER_TURN = 1_000;

/** opening -> open -> ended, following the socket. The session reports live when the socket opens. */
class WebSocketSession implements Session {
  readonly #options: Required<WebSocketFeedOptions>;
  readonly #listener: SessionListener;
  readonly #socket: WebSocket;
  #requested: ReadonlySet<string>;
  /** Symbols that were requested on this connection. */
  #subscribed: ReadonlySet<string> = new Set();
  readonly #notJson = new TurnCounter();
  #pingTimer: NodeJS.Timeout | undefined;
  #isAlive = true;
  #failure: SessionFailure | undefined;

  constructor(
    options: Required<WebSocketFeedOptions>,
    symbols: readonly string[],
    listener: SessionListener,
  ) {
    const { url, handshakeTimeoutMs } = options;
    this.#options = options;
    this.#listener = listener;
    this.#requested = new Set(symbols);
    this.#socket = openBrokerSocket(url, {}, handshakeTimeoutMs);
    this.#socket.on('open', () => this.#onOpen());
    this.#socket.on('message', (data) => this.#onMessage(String(data)));
    this.#socket.on('ping', () => this.#markAlive());
    this.#socket.on('pong', () => this.#markAlive());
    this.#socket.on('unexpected-response', (_request, { statusCode = 0 }) =>
      this.#onHttpResponse(statusCode),
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
    const { pingMs } = this.#options;
    if (pingMs > 0) this.#pingTimer = setInterval(() => this.#ping(), pingMs);
    if (this.#sendMapped('open', () => this.#openMessages()) && this.#syncSubscriptions())
      this.#listener.onLive();
  }

  /** Adds the secrets in these messages to the masked ones, because only the mapping knows them. */
  #openMessages(): readonly VenueMessage[] {
    const messages = [this.#options.mapping.open?.() ?? []].flat() as readonly VenueMessage[];
    this.#listener.addSecrets(messages.flatMap((message) => secretsIn(objectOf(message))));
    return messages;
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
      for (const message of [messages()].flat() as readonly VenueMessage[]) this.#send(message);
      return true;
    } catch (error) {
      const advice = 'Correct it, then restart the gateway.';
      const reason = `The function ${name} of the mapping failed: ${reasonOf(error)}. ${advice}`;
      this.#end({ code: undefined, reason, retryable: false });
      return false;
    }
  }

  #send(message: VenueMessage): void {
    const content = typeof message === 'string' ? message : JSON.stringify(message);
    this.#listener.onRaw?.({ dir: 'out', json: isJson(content) ? content : JSON.stringify(content) });
    this.#socket.send(content);
  }

  #onMessage(content: string): void {
    this.#markAlive();
    let frame: unknown;
    try {
      if (isTooDeep(content)) throw new Error('nested too deeply');
      frame = JSON.parse(content);
    } catch {
      if (this.#notJson.add(1) > MAX_NOT_JSON_PER_TURN) {
        const reason = `The server sent more than ${MAX_NOT_JSON_PER_TURN} frames at once that are not JSON.`;
        return this.#end(retryableFailure(undefined, reason));
      }
      this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify(content) });
      return this.#listener.onInvalidFrame(`The frame is not JSON: ${this.#listener.clean(content)}`);
    }
    this.#listener.onRaw?.({ dir: 'in', json: content });
    const events = readMappedFrame(this.#options.mapping, frame, this.#listener);
    this.#listener.onFrame(events);
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

  #onHttpResponse(status: number): void {
    const advice = FINAL_STATUSES.has(status) ? ' Check WEBSOCKET_URL, then restart the gateway.' : '';
    const reason = `The server refused the connection with HTTP status ${status}.${advice}`;
    this.#end({ code: status, reason, retryable: !FINAL_STATUSES.has(status) });
  }

  /** Reports the end to the listener, which then releases the session. */
  #end(failure: SessionFailure): void {
    clearInterval(this.#pingTimer);
    this.#listener.onEnd(failure);
  }
}

/** A text that is not JSON has no fields, so no part of it is known to be secret. */
function objectOf(message: VenueMessage): unknown {
  return typeof message === 'string' ? (isJson(message) ? JSON.parse(message) : undefined) : message;
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

function isJson(content: string): boolean {
  try {
    JSON.parse(content);
    return true;
  } catch {
    return false;
  }
}
