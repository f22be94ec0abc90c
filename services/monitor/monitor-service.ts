// The monitor: a web page that shows all traffic on the bus.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { commandsAmong } from '@tickbus/operator-kit/own-channels';
import {
  type Channel,
  type Clock,
  type Connection,
  type Logger,
  RedisConnection,
  type RedisConnectionOptions,
} from 'tickbus';
import { CONFIG, formatAddress, readConfig } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { BusObserver } from './bus-observer.ts';
import { commandForms } from './command-forms.ts';
import { createApp } from './http/app.ts';
import { CommandEndpoint } from './http/command-endpoint.ts';
import { readPageFiles } from './http/page-files.ts';
import { HTTP_LIMITS, type HttpLimits, serverOptions } from './http/server-limits.ts';
import { Streams } from './http/streams.ts';
import { isUsableToken, TOKEN_RULE } from './http/token-check.ts';
import { builtPage } from './page-build.ts';
import { PageFrames } from './page-frames.ts';

export interface MonitorOptions {
  /** Shared connection, which `close` leaves open. Set either this or `url`. */
  readonly connection?: Connection | undefined;
  /** Address of Redis. Default: CONFIG. */
  readonly url?: string | undefined;
  /** The certificates of a `rediss://` url. Default: those of Node.js. */
  readonly certificates?: Pick<RedisConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'> | undefined;
  /** The namespace of all channels. Default: CONFIG.NAMESPACE. */
  readonly namespace?: string | undefined;
  /** Redis address shown on the page. Default: host and port of `url` or CONFIG; `Redis` for a shared connection. */
  readonly redis?: string | undefined;
  /** Address to listen on. Default 127.0.0.1: this machine only. */
  readonly host?: string | undefined;
  /** Port to listen on. Default 8788; 0 selects a free port. */
  readonly port?: number | undefined;
  /** Accepted Host header names, besides localhost and `host`. Default: none. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Enables sending commands with this bearer token; at least 16 printable ASCII characters. Default: off. */
  readonly token?: string | undefined;
  /** Maximum age of a fresh price, in milliseconds. Default 5,000. */
  readonly maxAgeMs?: number | undefined;
  /** Own channels, which are shown too. TRADE_COMMANDS of `tradeCommands()` replaces the bundled one. Default: none. */
  readonly channels?: readonly Channel[] | undefined;
  /** Limits of the HTTP server. */
  readonly limits?: Partial<HttpLimits> | undefined;
  /** Clock for the counts of refused requests and wrong tokens. Default: the system clock. */
  readonly clock?: Clock | undefined;
  readonly logger: Logger;
}

export interface Monitor {
  /** Address of the page, such as `http://127.0.0.1:8788`. */
  readonly url: string;
  /** Ends the streams and the server. Idempotent. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 8788;
const DEFAULT_MAX_AGE_MS = 5_000;
const VERSION = '0.1.0';

/**
 * Starts the monitor and resolves when the page can be opened. Does not wait for Redis; the page shows whether
 * Redis is reachable.
 *
 * @throws Error if the address is in use, the token is not usable or the page is not built
 * @throws TickbusError `TICKBUS_INVALID_OPTION` for an invalid url
 */
export async function startMonitor(options: MonitorOptions): Promise<Monitor> {
  const {
    host = '127.0.0.1',
    port = DEFAULT_PORT,
    allowedHosts = [],
    channels = [],
    token,
    logger,
  } = options;
  if (token !== undefined && !isUsableToken(token))
    throw new Error(`The monitor did not start: its token is not usable. It must be ${TOKEN_RULE}.`);
  if (options.connection !== undefined && options.namespace !== undefined)
    throw new Error(
      'The monitor did not start: a shared connection has its own namespace. Omit `namespace`.',
    );
  const files = readPageFiles(await builtPage());
  const redis = { url: options.url, ...options.certificates, namespace: options.namespace };
  const connection = options.connection ?? new RedisConnection({ ...redis, logger });
  const about = {
    redis: options.redis ?? redisPlace(options, connection.namespace),
    canSend: token !== undefined,
    commands: token === undefined ? [] : commandForms(commandsAmong(channels)),
    maxAgeMs: options.maxAgeMs ?? DEFAULT_MAX_AGE_MS,
    version: VERSION,
  };
  const observer = new BusObserver({ connection, about, channels, logger });
  // A shared connection might not be Redis (the demo passes an in-memory one), so its server is not polled.
  const poller = options.connection === undefined ? observer.createServerPoller(redis) : undefined;
  const frames = new PageFrames(observer.state);
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const publisher = new RedisPublisher({ connection, sender: 'monitor', logger });
  const commands = new CommandEndpoint({
    token,
    channel: commandsAmong(channels),
    publisher,
    logger,
    answerMs: limits.answerMs,
    clock: options.clock,
  });
  const app = createApp({
    allowedHosts: [host, ...allowedHosts],
    files,
    state: observer.state,
    streams: new Streams(frames, (buffer) => observer.tail(buffer), limits),
    commands,
  });
  const server = createAdaptorServer({
    // `RESPONSE_ALREADY_SENT` of the streams must be a Response of Node.js.
    overrideGlobalObjects: false,
    fetch: app.fetch,
    serverOptions: serverOptions(limits),
  }) as Server;
  server.maxConnections = limits.maxConnections;
  // A client that does not read its responses would keep its connection for ever.
  server.timeout = limits.readMs;
  const stop = async () => {
    frames.close();
    await closeServer(server);
    await poller?.close();
    await observer.close();
    await commands.close();
    await publisher.close();
    if (options.connection === undefined) await connection.close();
  };
  try {
    await listen(server, host, port);
  } catch (error) {
    await stop();
    throw error;
  }
  observer.start();
  poller?.start();
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(server),
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `The monitor cannot listen on ${host}:${port}: ${reason}. ` +
        'Set another address with --host and --port, or with MONITOR_HOST and MONITOR_PORT.',
      { cause },
    );
  }
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const ended = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await ended;
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Redis address without credentials, and the namespace. */
function redisPlace(options: MonitorOptions, namespace: string | undefined): string {
  const host = redisHost(options);
  return namespace === undefined ? host : `${host}, namespace ${namespace}`;
}

function redisHost({ url, connection }: MonitorOptions): string {
  if (url === undefined && connection !== undefined) return 'Redis';
  const { ADDRESS } = url === undefined ? CONFIG : readConfig({ REDIS_URL: url });
  return formatAddress(ADDRESS).replace(/^rediss?:\/\//, '');
}
