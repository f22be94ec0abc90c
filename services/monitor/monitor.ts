// The monitor: one look at everything that is on the bus, in a browser.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { type Connection, type Logger, RedisConnection } from 'tickbus';
import { CONFIG } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { BusObserver } from './bus-observer.ts';
import { createApp } from './http/app.ts';
import { CommandEndpoint } from './http/command-endpoint.ts';
import { readPageFiles } from './http/page-files.ts';
import { Streams } from './http/streams.ts';
import { builtPage } from './page-build.ts';
import { PageFrames } from './page-frames.ts';

export interface MonitorOptions {
  /** Links to share, which are not closed; it is given either this or `url`. */
  readonly connection?: Connection | undefined;
  /** Where Redis is. Default: CONFIG's. */
  readonly url?: string | undefined;
  /** What the page says of where Redis is. Default: host and port of `url` or CONFIG. */
  readonly redis?: string | undefined;
  /** The address to listen on. Default 127.0.0.1: this machine alone. */
  readonly host?: string | undefined;
  /** Default 8788; 0 takes a free one. */
  readonly port?: number | undefined;
  /** Names by which it may be reached, besides localhost and `host`. Default: none. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Turns on sending commands, for those who know it; at least 16 characters. Default: off. */
  readonly token?: string | undefined;
  /** Milliseconds after which a price is no longer fresh. Default 5,000. */
  readonly maxAgeMs?: number | undefined;
  readonly logger: Logger;
}

export interface Monitor {
  /** Where the page is: `http://127.0.0.1:8788`. */
  readonly url: string;
  /** Ends the streams and the server. Safe to call again. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 8788;
const DEFAULT_MAX_AGE_MS = 5_000;
const MIN_TOKEN_LENGTH = 16;
const VERSION = '0.1.0';

/**
 * Starts the monitor and resolves when the page can be opened. It does not wait for Redis: whether that is there is what the page shows.
 *
 * @throws Error when the address cannot be listened on, the token is too short or the page is not built
 * @throws TickbusError `TICKBUS_INVALID_OPTION` for a url that cannot be used
 */
export async function startMonitor(options: MonitorOptions): Promise<Monitor> {
  const { host = '127.0.0.1', port = DEFAULT_PORT, allowedHosts = [], token, logger } = options;
  if (token !== undefined && token.length < MIN_TOKEN_LENGTH)
    throw new Error(`The monitor's token is too short. Use at least ${MIN_TOKEN_LENGTH} characters.`);
  const files = readPageFiles(await builtPage());
  const connection = options.connection ?? new RedisConnection({ url: options.url, logger });
  const about = {
    redis: options.redis ?? redisHost(options),
    canSend: token !== undefined,
    maxAgeMs: options.maxAgeMs ?? DEFAULT_MAX_AGE_MS,
    version: VERSION,
  };
  const watch = new BusObserver({ connection, about, logger });
  // Another's connection may be no Redis at all.
  const look = options.connection === undefined ? watch.createServerPoller(options.url) : undefined;
  const frames = new PageFrames(watch.state);
  const publisher = new RedisPublisher({ connection, sender: 'monitor', logger });
  const app = createApp({
    allowedHosts: [host, ...allowedHosts],
    files,
    state: watch.state,
    streams: new Streams(frames, (window) => watch.tail(window)),
    commands: new CommandEndpoint(token, publisher, logger),
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const stop = async () => {
    frames.close();
    await closeServer(server);
    await look?.close();
    await watch.close();
    await publisher.close();
    if (options.connection === undefined) await connection.close();
  };
  try {
    await listen(server, host, port);
  } catch (error) {
    await stop();
    throw error;
  }
  watch.start();
  look?.start();
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
      `The monitor cannot listen on ${host}:${port}: ${reason}. Choose another one with --host and --port, or MONITOR_HOST and MONITOR_PORT.`,
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

/** Without credentials. */
function redisHost({ url, connection }: MonitorOptions): string {
  if (url !== undefined) return new URL(url).host;
  return connection === undefined ? `${CONFIG.HOST}:${CONFIG.PORT}` : 'Redis';
}
