// A simulated broker: a WebSocket server with Alpaca's market data stream v2 protocol and its limit of one connection.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Logger, pino } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { BrokerErrorCode, DataMessage } from './alpaca-protocol.ts';
import { BrokerFaults } from './broker-faults.ts';
import { ClientSession, type Credentials } from './client-session.ts';
import { codecFor } from './codec.ts';
import { DataMessages } from './data-messages.ts';
import { createGenerator } from './sources/generator.ts';
import type { PriceSource } from './sources/price-source.ts';

/** All options have defaults. */
export interface SimulatedBrokerOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port; `SimulatedBroker.port` is the chosen one. */
  readonly port?: number;
  /** The accepted key; default `local-key`. */
  readonly key?: string;
  /** The accepted secret; default `local-secret`. */
  readonly secret?: string;
  /** Feeds in the account's plan, each at `/v2/<feed>`; default iex, delayed_sip, test. Other feeds: error 409. */
  readonly feeds?: readonly string[];
  /** Maximum concurrent authenticated connections per feed; default 1. A further connection gets error 406. */
  readonly maxConnections?: number;
  /**
   * Time for which a closed connection still counts against the limit, as with real brokers, milliseconds; default 0.
   */
  readonly releaseMs?: number;
  /** Maximum symbols in trades and quotes together (error 405). A wildcard exceeds any limit. Default: no limit. */
  readonly symbolLimit?: number;
  /** Channels that the feeds do not have, such as `statuses`: error 410. Default: none. */
  readonly omittedChannels?: readonly string[];
  /** Authentication timeout, milliseconds (error 404); default 10,000. */
  readonly authTimeoutMs?: number;
  /** Maximum unsent bytes of a client before it is closed as too slow (error 407); default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** Trades of the past that a new connection gets after its first subscription, as with some venues; default 0. */
  readonly resentTrades?: number;
  /** Whether trades have identifiers; default true. */
  readonly tradeIds?: boolean;
  /** Default: a generator. The broker starts its source once, when any client subscribes for the first time. */
  readonly source?: PriceSource;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** Statistics since the start. */
export interface BrokerStats {
  /** Currently authenticated connections. */
  readonly connections: number;
  /** Maximum of concurrently authenticated connections. */
  readonly maxConcurrent: number;
  /** Connections authenticated in total. */
  readonly accepted: number;
  /** Connections refused with 406 in total. */
  readonly refused: number;
  /** Data messages sent. */
  readonly messagesSent: number;
}

/** The default key and secret, for local use only. */
export const LOCAL_CREDENTIALS: Credentials = { key: 'local-key', secret: 'local-secret' };

/**
 * Starts a simulated broker; resolves when it listens.
 *
 * @throws Error if the broker cannot listen on the address; the message contains the reason
 */
export async function startSimulatedBroker(options: SimulatedBrokerOptions = {}): Promise<SimulatedBroker> {
  const { host = '127.0.0.1', port = 0 } = options;
  // A variable, because the types of ws lack `closeTimeout`. Servers of ws do not compress by default.
  const limits = { maxPayload: 1024 * 1024, closeTimeout: CLOSE_TIMEOUT_MS };
  const server = new WebSocketServer({ ...limits, host, port, verifyClient: refuseUnknownPath });
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The simulated broker cannot listen on ${host}:${port}: ${reason}`, { cause: error });
  }
  return new SimulatedBroker(server, options);
}

/** A running simulated broker; created by `startSimulatedBroker`. */
export class SimulatedBroker implements AsyncDisposable {
  /** The URL for clients, e.g. `ws://127.0.0.1:40123/v2/iex`. */
  readonly url: string;
  readonly port: number;
  /** Every symbol the broker can send. */
  readonly symbols: readonly string[];
  /** Fault injection. */
  readonly faults: BrokerFaults;
  readonly #server: WebSocketServer;
  readonly #options: SimulatedBrokerOptions;
  readonly #source: PriceSource;
  readonly #log: Logger;
  readonly #sessions = new Set<ClientSession>();
  /** Closed sessions that still count against the connection limit. */
  readonly #unreleased = new Set<ClientSession>();
  /** The newest `resentTrades` trades. */
  readonly #recentTrades: DataMessage[] = [];
  readonly #stopping = new AbortController();
  readonly #counters = { maxConcurrent: 0, accepted: 0, refused: 0, messagesSent: 0 };
  #sending: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(server: WebSocketServer, options: SimulatedBrokerOptions) {
    const { address, family, port } = server.address() as AddressInfo;
    this.port = port;
    this.url = `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/v2/iex`;
    this.faults = new BrokerFaults(this.#sessions);
    this.#server = server;
    this.#options = options;
    this.#source = options.source ?? createGenerator();
    this.symbols = this.#source.symbols;
    this.#log = options.logger ?? pino({ level: 'silent' });
    server.on('connection', (socket, request) => this.#connect(socket, request));
  }

  get stats(): BrokerStats {
    return { connections: this.#admittedSessions().length, ...this.#counters };
  }

  /** Closes every connection with 1001 (going away) and stops listening. Resolves when all are closed. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connect(socket: WebSocket, request: IncomingMessage): void {
    const feed = feedOf(request) ?? '';
    const log = this.#log.child({
      feed,
      client: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
    });
    const session = new ClientSession({
      socket,
      tcp: request.socket as Socket,
      codec: codecFor(request.headers['content-type']),
      feed,
      credentials: headerCredentials(request),
      authTimeoutMs: this.#options.authTimeoutMs ?? 10_000,
      symbolLimit: this.#options.symbolLimit ?? Number.POSITIVE_INFINITY,
      omittedChannels: this.#options.omittedChannels ?? [],
      maxBufferedBytes: this.#options.maxBufferedBytes ?? 16 * 1024 * 1024,
      faults: this.faults,
      log,
      admit: (candidate, credentials) => this.#admit(candidate, credentials),
      onFirstSubscribed: () => {
        this.#counters.messagesSent += session.deliver(this.#recentTrades);
        this.#sending ??= this.#sendPrices();
      },
    });
    this.#sessions.add(session);
    socket.once('close', (code) => {
      this.#sessions.delete(session);
      if (session.admitted) this.#delayRelease(session);
      log.info({ code }, 'Client disconnected.');
    });
    log.info('Client connected.');
  }

  #admit(session: ClientSession, { key, secret }: Credentials): BrokerErrorCode | undefined {
    const { maxConnections = 1, feeds = ['iex', 'delayed_sip', 'test'] } = this.#options;
    const expected = { ...LOCAL_CREDENTIALS, ...this.#options };
    if (this.faults.authError !== undefined) return this.faults.authError;
    if (key !== expected.key || secret !== expected.secret) return 402;
    if (!feeds.includes(session.feed)) return 409;
    const counted = [...this.#admittedSessions(), ...this.#unreleased];
    if (counted.filter(({ feed }) => feed === session.feed).length >= maxConnections) {
      this.#counters.refused += 1;
      return 406;
    }
    this.#counters.accepted += 1;
    this.#counters.maxConcurrent = Math.max(
      this.#counters.maxConcurrent,
      this.#admittedSessions().length + 1,
    );
    return undefined;
  }

  #delayRelease(session: ClientSession): void {
    const { releaseMs = 0 } = this.#options;
    if (releaseMs === 0) return;
    this.#unreleased.add(session);
    setTimeout(() => this.#unreleased.delete(session), releaseMs).unref();
  }

  #admittedSessions(): readonly ClientSession[] {
    return [...this.#sessions].filter((session) => session.admitted);
  }

  async #sendPrices(): Promise<void> {
    const { tradeIds = true } = this.#options;
    const data = new DataMessages(tradeIds);
    try {
      for await (const events of this.#source.batches(this.#stopping.signal)) {
        const messages = events.map((event) => data.of(event));
        for (const session of this.#sessions) this.#counters.messagesSent += session.deliver(messages);
        this.#remember(messages);
      }
      this.#log.info('The price source has ended.');
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#log.error({ err: error }, 'The price source failed; closing all clients with error 500.');
      this.faults.sendError(500);
    }
  }

  #remember(messages: readonly DataMessage[]): void {
    const { resentTrades = 0 } = this.#options;
    for (const message of messages) if (message.T === 't') this.#recentTrades.push(message);
    this.#recentTrades.splice(0, this.#recentTrades.length - resentTrades);
  }

  async #shutDown(): Promise<void> {
    this.#stopping.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.faults.recover();
    this.faults.close();
    await Promise.all([closed, this.#sending]);
  }
}

/** Time for a client to answer a close before its connection is terminated, milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

function refuseUnknownPath(
  { req }: { req: IncomingMessage },
  answer: (accept: boolean, status?: number) => void,
): void {
  if (feedOf(req) === undefined) answer(false, 404);
  else answer(true);
}

function feedOf(request: IncomingMessage): string | undefined {
  return /^\/v2\/(\w+)(?:\?|$)/.exec(request.url ?? '')?.[1];
}

function headerCredentials({ headers }: IncomingMessage): Credentials | undefined {
  const key = headers['apca-api-key-id'];
  const secret = headers['apca-api-secret-key'];
  if (typeof key !== 'string' || typeof secret !== 'string') return undefined;
  return { key, secret };
}
