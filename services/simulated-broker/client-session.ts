// One client's connection, from the greeting to the close.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import {
  AUTHENTICATED,
  type BrokerErrorCode,
  CLOSING_ERRORS,
  type ClientMessage,
  CONNECTED,
  type DataMessage,
  errorMessage,
  readClientMessage,
  type ServerMessage,
} from './alpaca-protocol.ts';
import type { BrokerFaults, FaultTarget } from './broker-faults.ts';
import { type Codec, decodeFrame } from './codec.ts';
import { Subscriptions } from './subscriptions.ts';

/** What a client shows to be let in. */
export interface Credentials {
  readonly key: string;
  readonly secret: string;
}

/** What a session needs of the broker. */
export interface ClientSessionOptions {
  readonly socket: WebSocket;
  readonly tcp: Socket;
  readonly codec: Codec;
  /** The feed it asked for, e.g. `iex`. */
  readonly feed: string;
  /** Credentials from the HTTP headers, when they were sent there. */
  readonly credentials: Credentials | undefined;
  readonly authTimeoutMs: number;
  readonly symbolLimit: number;
  readonly maxBufferedBytes: number;
  readonly faults: BrokerFaults;
  readonly log: Logger;
  /** The broker's decision on credentials: undefined lets the session in. */
  readonly admit: (session: ClientSession, credentials: Credentials) => BrokerErrorCode | undefined;
  /** Called after each change of the subscriptions has been acknowledged. */
  readonly onSubscribed: () => void;
}

type SubscriptionMessage = Exclude<ClientMessage, { readonly action: 'auth' }>;

/**
 * States: `connected` (greeted, not authenticated) -> `authenticated` -> `closing`. Only `#authenticate` and `#close` change
 * it. An authenticated session counts against the connection limit until its socket is closed, so the broker removes it then.
 */
export class ClientSession implements FaultTarget {
  readonly socket: WebSocket;
  readonly tcp: Socket;
  readonly feed: string;
  readonly #options: ClientSessionOptions;
  readonly #subscriptions: Subscriptions;
  readonly #authTimer: NodeJS.Timeout;
  #state: 'connected' | 'authenticated' | 'closing' = 'connected';
  #admitted = false;

  constructor(options: ClientSessionOptions) {
    this.socket = options.socket;
    this.tcp = options.tcp;
    this.feed = options.feed;
    this.#options = options;
    this.#subscriptions = new Subscriptions(options.symbolLimit);
    this.#authTimer = setTimeout(() => this.#reject(404), options.authTimeoutMs);
    this.socket.on('message', (frame: Buffer, isBinary: boolean) => this.#receive(frame, isBinary));
    this.socket.on('close', () => clearTimeout(this.#authTimer));
    this.socket.on('error', (error) => options.log.warn({ error: error.message }, 'The connection failed.'));
    if (options.faults.frozen) this.socket.pause();
    this.#reply(CONNECTED);
    if (options.credentials !== undefined) this.#handle({ action: 'auth', ...options.credentials });
  }

  /** Whether the session takes one of the account's connections. */
  get admitted(): boolean {
    return this.#admitted;
  }

  /** Sends what the client is subscribed to as one frame, and returns how many messages that were. */
  deliver(messages: readonly DataMessage[]): number {
    if (this.#state !== 'authenticated' || this.#options.faults.muted) return 0;
    const wanted = messages.filter((message) => this.#subscriptions.includes(message));
    if (wanted.length === 0) return 0;
    if (this.socket.bufferedAmount > this.#options.maxBufferedBytes) {
      this.fail(407);
      return 0;
    }
    return this.#send(wanted);
  }

  fail(code: BrokerErrorCode): void {
    this.#send([errorMessage(code)]);
    if (CLOSING_ERRORS.has(code)) this.#close(code);
  }

  #receive(frame: Buffer, isBinary: boolean): void {
    if (this.#state !== 'closing') this.#handle(readClientMessage(decodeFrame(frame, isBinary)));
  }

  #handle(message: ClientMessage | undefined): void {
    const code = this.#execute(message);
    if (code !== undefined) this.#reject(code);
  }

  #execute(message: ClientMessage | undefined): BrokerErrorCode | undefined {
    if (message === undefined) return 400;
    return message.action === 'auth' ? this.#authenticate(message) : this.#changeSubscriptions(message);
  }

  #authenticate(credentials: Credentials): BrokerErrorCode | undefined {
    if (this.#state === 'authenticated') return 403;
    const code = this.#options.admit(this, credentials);
    if (code !== undefined) return code;
    clearTimeout(this.#authTimer);
    this.#state = 'authenticated';
    this.#admitted = true;
    this.#reply(AUTHENTICATED);
    return undefined;
  }

  #changeSubscriptions({ action, channels }: SubscriptionMessage): BrokerErrorCode | undefined {
    if (this.#state !== 'authenticated') return 401;
    const code = this.#subscriptions[action](channels);
    if (code !== undefined) return code;
    this.#reply(this.#subscriptions.acknowledgement());
    this.#options.onSubscribed();
    return undefined;
  }

  /** The broker's own errors; a muted broker keeps them to itself, but closes nevertheless. */
  #reject(code: BrokerErrorCode): void {
    this.#reply(errorMessage(code));
    if (CLOSING_ERRORS.has(code)) this.#close(code);
  }

  #reply(message: ServerMessage): void {
    if (!this.#options.faults.muted) this.#send([message]);
  }

  #send(messages: readonly ServerMessage[]): number {
    if (this.socket.readyState !== this.socket.OPEN) return 0;
    this.socket.send(this.#options.codec.encode(messages));
    return messages.length;
  }

  #close(code: BrokerErrorCode): void {
    clearTimeout(this.#authTimer);
    this.#state = 'closing';
    this.#options.log.info({ code }, 'The connection is closed with an error.');
    this.socket.close();
  }
}
