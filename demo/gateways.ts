// The gateways of the demo: a single gateway in this process or, for the failover, an active gateway and a standby. The
// two run as separate processes if there is a Redis to share.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createAlpacaFeed } from '@tickbus/price-gateway/feeds/alpaca';
import type { Feed } from '@tickbus/price-gateway/feeds/feed';
import { createGateway, type Gateway } from '@tickbus/price-gateway/gateway';
import { LOCAL_CREDENTIALS } from '@tickbus/simulated-broker/broker';
import type { Connection, Logger } from 'tickbus';
import { MemoryConnection } from 'tickbus/testing';
import type { DemoTransport } from './demo-transport.ts';
import { preciseClock } from './precise-clock.ts';

export interface Gateways {
  /** Simulates a crash of the gateway: no final status, no release of the lease. */
  kill(holder: string): Promise<void>;
  /** Shuts all gateways down. */
  close(): Promise<void>;
}

export interface GatewaysOptions {
  readonly transport: DemoTransport;
  readonly brokerUrl: string;
  readonly symbols: readonly string[];
  readonly logger: Logger;
}

/** Shortens the start: the first gateway on a new Redis waits for the length of a lease. */
const SHORT_LEASE_MS = 1_500;

/** Starts a single gateway in this process. */
export async function startGateway(options: GatewaysOptions): Promise<Gateways> {
  const gateway = new LocalGateway('gateway', options, SHORT_LEASE_MS);
  await gateway.start();
  return { kill: () => gateway.crash(), close: () => gateway.stop() };
}

/** Starts an active gateway and a standby, with the default lease length. */
export async function startGatewayPair(options: GatewaysOptions): Promise<Gateways> {
  return options.transport.url === undefined ? startLocalPair(options) : startProcessPair(options);
}

async function startLocalPair(options: GatewaysOptions): Promise<Gateways> {
  const pair = ['gateway-1', 'gateway-2'].map((name) => new LocalGateway(name, options));
  await Promise.all(pair.map((gateway) => gateway.start()));
  return {
    kill: async (holder) => pair.find(({ name }) => name === holder)?.crash(),
    close: async () => void (await Promise.all(pair.map((gateway) => gateway.stop()))),
  };
}

class LocalGateway {
  readonly name: string;
  readonly #connection: Connection;
  readonly #gateway: Gateway;
  #feed: Feed | undefined;

  constructor(
    name: string,
    { transport, brokerUrl: url, symbols, logger }: GatewaysOptions,
    leaseTtlMs = 3_000,
  ) {
    this.name = name;
    this.#connection = transport.connect();
    this.#gateway = createGateway({
      createFeed: async () => {
        this.#feed = createAlpacaFeed({ ...LOCAL_CREDENTIALS, url });
        return this.#feed;
      },
      connection: this.#connection,
      symbols,
      leaseTtlMs,
      holder: name,
      clock: preciseClock,
      logger,
    });
  }

  start(): Promise<void> {
    return this.#gateway.start();
  }

  /** Drops both connections at once, which is how other processes see a crash. */
  async crash(): Promise<void> {
    if (this.#connection instanceof MemoryConnection) this.#connection.disconnect();
    await this.#feed?.close(0);
  }

  stop(): Promise<void> {
    return this.#gateway.stop();
  }
}

async function startProcessPair({ transport, brokerUrl, symbols }: GatewaysOptions): Promise<Gateways> {
  const main = fileURLToPath(import.meta.resolve('@tickbus/price-gateway/main'));
  const env = {
    ...process.env,
    REDIS_URL: transport.url,
    FEED: 'alpaca',
    ALPACA_URL: brokerUrl,
    ALPACA_KEY: LOCAL_CREDENTIALS.key,
    ALPACA_SECRET: LOCAL_CREDENTIALS.secret,
    SYMBOLS: symbols.join(),
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
  };
  // Separate process groups: Ctrl-C reaches this process only, which then shuts the gateways down.
  const start = () =>
    spawn(process.execPath, [...process.execArgv, main], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
  const children = [start(), start()];
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL');
  });
  return {
    kill: async (holder) => {
      const child = children.find(({ pid }) => holder.endsWith(`-${pid}`));
      if (child !== undefined) await end(child, 'SIGKILL');
    },
    close: async () => void (await Promise.all(children.map((child) => end(child, 'SIGTERM')))),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
