// The feed of any WebSocket server that sends JSON: what its frames mean is told by a user's mapping module.

import { WebSocket } from 'ws';
import type { Mapping, Message } from '../mapping.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { loadMapping, readFrame, reasonOf } from './mapping-module.ts';
import { createSessionFeed, type Failure, type Session, type SessionListener } from './session-feed.ts';
import { text, webSocketUrl, whole } from './setting.ts';

export interface WebSocketFeedOptions {
  readonly url: string;
  readonly mapping: Mapping;
  /**
   * Milliseconds between two pings; default 10,000, 0 for none. The connection is ended when nothing at all, no frame and no
   * answer, has come from one ping to the next.
   */
  readonly pingMs?: number;
  /** Milliseconds within which the server must accept the connection. Default 15,000. */
  readonly handshakeTimeoutMs?: number;
}

const DEFAULT_PING_MS = 10_000;

/** `FEED=websocket`. */
export const websocket = defineFeedKind({
  summary: 'any WebSocket server that sends JSON, understood by a mapping module of yours',
  settings: {
    // A secret, because it can carry a token.
    WEBSOCKET_URL: webSocketUrl().meta({ description: 'server to connect to (required)', secret: true }),
    WEBSOCKET_MAPPING: text('the path of your mapping module, such as ./my-mapping.mjs').describe(
      'your mapping module, such as ./my-mapping.mjs (required)',
    ),
    WEBSOCKET_PING_MS: whole(0, 3_600_000)
      .default(DEFAULT_PING_MS)
      .describe(`ms between two pings, 0 for none (default ${DEFAULT_PING_MS})`),
  },
  create: async ({ WEBSOCKET_URL: url, WEBSOCKET_MAPPING: path, WEBSOCKET_PING_MS: pingMs }) =>
    createWebSocketFeed({ url, mapping: await loadMapping(path), pingMs }),
});

/** The feed; nothing connects before `start`. */
export function createWebSocketFeed(options: WebSocketFeedOptions): Feed {
  const settings = { pingMs: DEFAULT_PING_MS, handshakeTimeoutMs: 15_000, ...options };
  return createSessionFeed({
    name: 'websocket',
    venue: options.mapping.venue,
    open: (symbols, listener) => new WebSocketSession(settings, symbols, listener),
  });
}

/** A frame past this is not one of prices, and ends the connection (close code 1009). */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;
/** HTTP answers to the handshake after which trying again does not help. */
const FINAL_ANSWERS: ReadonlySet<number> = new Set([400, 401, 403, 404]);

/** opening -> open -> over, as the socket is; live is told when it opens. */
class WebSocketSession implements Session {
  readonly #options: Required<WebSocketFeedOptions>;
  readonly #listener: SessionListener;
  readonly #socket: WebSocket;
  #wanted: ReadonlySet<string>;
  /** What was asked for on this connection. */
  #asked: ReadonlySet<string> = new Set();
  #pings: NodeJS.Timeout | undefined;
  #isHeard = true;
  #failure: Failure | undefined;

  constructor(
    options: Required<WebSocketFeedOptions>,
    symbols: readonly string[],
    listener: SessionListener,
  ) {
    const { url, handshakeTimeoutMs: handshakeTimeout } = options;
    this.#options = options;
    this.#listener = listener;
    this.#wanted = new Set(symbols);
    this.#socket = new WebSocket(url, { handshakeTimeout, maxPayload: MAX_FRAME_BYTES });
    this.#socket.on('open', () => this.#onOpen());
    this.#socket.on('message', (data) => this.#onMessage(String(data)));
    this.#socket.on('ping', () => this.#hear());
    this.#socket.on('pong', () => this.#hear());
    this.#socket.on('unexpected-response', (_request, { statusCode = 0 }) => this.#onAnswer(statusCode));
    this.#socket.on('error', ({ message }) => {
      this.#failure ??= failed(undefined, `The connection failed: ${message}.`);
    });
    this.#socket.on('close', (code, reason) => this.#end(this.#failure ?? closed(code, String(reason))));
  }

  setSymbols(symbols: readonly string[]): void {
    this.#wanted = new Set(symbols);
    if (this.#socket.readyState === WebSocket.OPEN) this.#ask();
  }

  release(withinMs: number): Promise<void> {
    clearInterval(this.#pings);
    if (this.#socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#socket.terminate(), withinMs);
      this.#socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#socket.close();
    });
  }

  #onOpen(): void {
    const { pingMs, mapping } = this.#options;
    if (pingMs > 0) this.#pings = setInterval(() => this.#ping(), pingMs);
    if (this.#say('open', () => mapping.open?.() ?? []) && this.#ask()) this.#listener.onLive();
  }

  /** Asks for the difference between what is wanted and what was asked for. False when that could not be said. */
  #ask(): boolean {
    const { mapping } = this.#options;
    const added = [...this.#wanted].filter((symbol) => !this.#asked.has(symbol));
    const removed = [...this.#asked].filter((symbol) => !this.#wanted.has(symbol));
    this.#asked = this.#wanted;
    const isSaid =
      (removed.length === 0 || this.#say('unsubscribe', () => mapping.unsubscribe?.(removed) ?? [])) &&
      (added.length === 0 || this.#say('subscribe', () => mapping.subscribe?.(added) ?? []));
    if (isSaid && !mapping.acknowledges) this.#listener.onSubscribed([...this.#wanted]);
    return isSaid;
  }

  /** Sends what the mapping wants to say; a mapping that throws here will throw again, so the session ends for good. */
  #say(what: string, messages: () => Message | readonly Message[]): boolean {
    try {
      for (const message of [messages()].flat() as readonly Message[]) this.#send(message);
      return true;
    } catch (error) {
      const reason = `The ${what} of the mapping failed: ${reasonOf(error)}. Mend it, then start the gateway again.`;
      this.#end({ code: undefined, reason, retryable: false });
      return false;
    }
  }

  #send(message: Message): void {
    const content = typeof message === 'string' ? message : JSON.stringify(message);
    this.#listener.onRaw?.({ dir: 'out', json: isJson(content) ? content : JSON.stringify(content) });
    this.#socket.send(content);
  }

  #onMessage(content: string): void {
    this.#hear();
    let frame: unknown;
    try {
      frame = JSON.parse(content);
    } catch {
      this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify(content) });
      return this.#listener.onInvalidFrame(`A frame is not JSON: ${content.slice(0, 80)}`);
    }
    this.#listener.onRaw?.({ dir: 'in', json: content });
    const events = readFrame(this.#options.mapping, frame, this.#listener);
    this.#listener.onFrame(events.filter(({ symbol }) => this.#isWanted(symbol)));
  }

  #isWanted(symbol: string): boolean {
    return this.#wanted.has(symbol) || this.#wanted.has('*');
  }

  #hear(): void {
    this.#isHeard = true;
  }

  #ping(): void {
    const { pingMs, mapping } = this.#options;
    if (!this.#isHeard)
      return this.#end(failed(undefined, `The server has not answered a ping within ${pingMs} ms.`));
    this.#isHeard = false;
    if (mapping.ping === undefined) this.#socket.ping();
    else this.#say('ping', () => mapping.ping?.() ?? []);
  }

  #onAnswer(status: number): void {
    const advice = FINAL_ANSWERS.has(status) ? ' Check WEBSOCKET_URL, then start the gateway again.' : '';
    const reason = `The server refused the connection with HTTP status ${status}.${advice}`;
    this.#end({ code: status, reason, retryable: !FINAL_ANSWERS.has(status) });
  }

  /** Who hears of it releases the session. */
  #end(failure: Failure): void {
    clearInterval(this.#pings);
    this.#listener.onEnd(failure);
  }
}

function failed(code: number | undefined, reason: string): Failure {
  return { code, reason, retryable: true };
}

function closed(code: number, reason: string): Failure {
  return failed(code, `The server closed the connection (${reason === '' ? code : `${code}, ${reason}`}).`);
}

function isJson(content: string): boolean {
  try {
    JSON.parse(content);
    return true;
  } catch {
    return false;
  }
}
