// One gateway in this process; or, for a fail-over, two, which are processes of their own where there is a Redis to share.

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
  /** Ends that one as a crash does: nothing is told, nothing given up. */
  kill(holder: string): Promise<void>;
  /** Ends them all in order. */
  close(): Promise<void>;
}

export interface GatewaysOptions {
  readonly embedded: DemoTransport;
  readonly brokerUrl: string;
  readonly symbols: readonly string[];
  readonly logger: Logger;
}

/** A demo is not kept waiting for longer than it must: the first gateway on a new Redis waits for as long as a lease lasts. */
const SHORT_LEASE_MS = 1_500;

/** The one gateway, in this process. */
export async function startGateway(options: GatewaysOptions): Promise<Gateways> {
  const gateway = new LocalGateway('gateway', options, SHORT_LEASE_MS);
  await gateway.start();
  return { kill: () => gateway.crash(), close: () => gateway.stop() };
}

/** An active one and a standby, with the lease that a desk would have. */
export async function startGatewayPair(options: GatewaysOptions): Promise<Gateways> {
  return options.embedded.url === undefined ? startLocalPair(options) : startProcessPair(options);
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
    { embedded, brokerUrl: url, symbols, logger }: GatewaysOptions,
    leaseTtlMs = 3_000,
  ) {
    this.name = name;
    this.#connection = embedded.connect();
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

  /** What a crash is to the others: both its connections are gone from one moment to the next. */
  async crash(): Promise<void> {
    if (this.#connection instanceof MemoryConnection) this.#connection.disconnect();
    await this.#feed?.close(0);
  }

  stop(): Promise<void> {
    return this.#gateway.stop();
  }
}

async function startProcessPair({ embedded, brokerUrl, symbols }: GatewaysOptions): Promise<Gateways> {
  const main = fileURLToPath(import.meta.resolve('@tickbus/price-gateway/main'));
  const env = {
    ...process.env,
    REDIS_URL: embedded.url,
    FEED: 'alpaca',
    ALPACA_URL: brokerUrl,
    ALPACA_KEY: LOCAL_CREDENTIALS.key,
    ALPACA_SECRET: LOCAL_CREDENTIALS.secret,
    SYMBOLS: symbols.join(),
    HTTP_PORT: '0',
    LOG_LEVEL: 'error',
  };
  // In process groups of their own, so that Ctrl-C reaches only this one, which then ends them in order.
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
