// One client connection, from the greeting to the close.

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

export interface Credentials {
  readonly key: string;
  readonly secret: string;
}

export interface ClientSessionOptions {
  readonly socket: WebSocket;
  readonly tcp: Socket;
  readonly codec: Codec;
  /** The feed in the URL, e.g. `iex`. */
  readonly feed: string;
  /** Credentials from the HTTP headers, if present. */
  readonly credentials: Credentials | undefined;
  readonly authTimeoutMs: number;
  readonly symbolLimit: number;
  readonly omittedChannels: readonly string[];
  readonly maxBufferedBytes: number;
  readonly faults: BrokerFaults;
  readonly log: Logger;
  /** Checks the credentials: undefined admits the session, an error code refuses it. */
  readonly admit: (session: ClientSession, credentials: Credentials) => BrokerErrorCode | undefined;
  /** Called once, after the first change of the subscriptions has been acknowledged. */
  readonly onFirstSubscribed: () => void;
}

type SubscriptionMessage = Exclude<ClientMessage, { readonly action: 'auth' }>;

/**
 * `connected` (greeted, not authenticated) -> `authenticated` -> `closing`. Only `#authenticate` and `#close` change
 * the state. An authenticated session counts against the connection limit until its socket is closed.
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
  #hasSubscribed = false;

  constructor(options: ClientSessionOptions) {
    this.socket = options.socket;
    this.tcp = options.tcp;
    this.feed = options.feed;
    this.#options = options;
    this.#subscriptions = new Subscriptions(options.symbolLimit, options.omittedChannels);
    this.#authTimer = setTimeout(() => this.#reject(404), options.authTimeoutMs);
    this.socket.on('message', (frame: Buffer, isBinary: boolean) => this.#receive(frame, isBinary));
    this.socket.on('close', () => clearTimeout(this.#authTimer));
    this.socket.on('error', (error) => options.log.warn({ error: error.message }, 'Connection failed.'));
    if (options.faults.frozen) this.socket.pause();
    this.#reply(CONNECTED);
    if (options.credentials !== undefined) this.#handle({ action: 'auth', ...options.credentials });
  }

  /** Whether the session counts against the account's connection limit. */
  get admitted(): boolean {
    return this.#admitted;
  }

  /** Sends the messages that the client is subscribed to as one frame; returns their number. */
  deliver(messages: readonly DataMessage[]): number {
    if (this.#state !== 'authenticated' || this.#options.faults.muted) return 0;
    const subscribed = messages.filter((message) => this.#subscriptions.includes(message));
    if (subscribed.length === 0) return 0;
    if (this.socket.bufferedAmount > this.#options.maxBufferedBytes) {
      this.fail(407);
      return 0;
    }
    return this.#send(subscribed);
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
    if (!this.#hasSubscribed) this.#options.onFirstSubscribed();
    this.#hasSubscribed = true;
    return undefined;
  }

  /** Sends the error, and closes the connection if the error requires it. A muted broker closes without sending. */
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
    this.#options.log.info({ code }, 'Closing the connection with an error.');
    this.socket.close();
  }
}
