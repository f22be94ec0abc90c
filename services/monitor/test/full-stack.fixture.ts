// The full system for the page tests: Redis, broker, monitor, and gateway and bots as separate processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { createGenerator } from '@tickbus/simulated-broker/sources/generator';
import { silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { type Monitor, startMonitor } from '../monitor-service.ts';

export const TOKEN = 'a token for the tests';

const GATEWAY = await bundledProgram(new URL('../../price-gateway/main.ts', import.meta.url));
const BOTS = await bundledProgram(new URL('../../sample-bots/main.ts', import.meta.url));

export class FullStack {
  readonly redis: LocalRedis;
  readonly broker: SimulatedBroker;
  readonly #processes = new Map<string, ChildProcess>();
  #port = 0;
  #monitor: Monitor | undefined;

  private constructor(redis: LocalRedis, broker: SimulatedBroker) {
    this.redis = redis;
    this.broker = broker;
  }

  /** Starts Redis and the broker. The test starts the rest. */
  static async open(): Promise<FullStack> {
    const redis = await startLocalRedis();
    const broker = await startSimulatedBroker({ source: createGenerator({ rate: 100, seed: 7 }) });
    return new FullStack(redis, broker);
  }

  get url(): string {
    return this.#monitor?.url ?? '';
  }

  startGateway(): void {
    this.#start('gateway', GATEWAY, [], {
      ALPACA_URL: this.broker.url,
      ALPACA_KEY: 'local-key',
      ALPACA_SECRET: 'local-secret',
      SYMBOLS: '*',
      // Shorter than the defaults, to keep the tests short.
      SILENT_AFTER_MS: '1500',
      LEASE_TTL_MS: '1500',
      HTTP_PORT: '0',
    });
  }

  startBots(): void {
    this.#start('bots', BOTS, ['momentum', 'paper-trader'], {});
  }

  /** Simulates a crash: SIGKILL, without a final status. */
  kill(name: 'gateway' | 'bots'): void {
    this.#processes.get(name)?.kill('SIGKILL');
  }

  /** A restarted monitor uses the same address. */
  async startMonitor(): Promise<void> {
    this.#port ||= await freePort();
    this.#monitor = await startMonitor({
      url: this.redis.url,
      port: this.#port,
      token: TOKEN,
      maxAgeMs: 2_000,
      logger: silentLogger,
    });
  }

  async stopMonitor(): Promise<void> {
    await this.#monitor?.close();
  }

  async close(): Promise<void> {
    for (const child of this.#processes.values()) child.kill('SIGKILL');
    await this.stopMonitor();
    await this.broker.close();
    await this.redis.kill();
  }

  #start(name: string, main: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, REDIS_URL: this.redis.url, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#processes.set(name, child);
  }
}
