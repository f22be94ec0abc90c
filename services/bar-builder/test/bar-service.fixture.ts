// A bar builder in the process of the test, with a clock that the test drives.

import { silentLogger } from '@tickbus/test-kit';
import type { Connection } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { ManualClock } from 'tickbus/testing';
import { expect } from 'vitest';
import { BarService } from '../bar-service.ts';
import type { BarStats, Readiness } from '../bar-stats.ts';
import { ALL_DAY, Calendar } from '../intervals/calendar.ts';
import { type Interval, parseInterval } from '../intervals/interval.ts';

export interface ServiceOptions {
  readonly lengths: readonly string[];
  readonly reviseMs?: number;
  readonly symbols?: readonly string[];
  /** Default: one to the server. */
  readonly connection?: Connection;
}

export class TestBarService implements AsyncDisposable {
  /** Time of the builder. Links and the lease use the system clock. */
  readonly clock = new ManualClock(Date.now());
  readonly #service: BarService;
  readonly #connection: Connection;

  constructor(url: string, { lengths, reviseMs = 900_000, symbols, connection }: ServiceOptions) {
    this.#connection = connection ?? new RedisConnection({ url, logger: silentLogger });
    this.#service = new BarService({
      connection: this.#connection,
      trades: CHANNELS.TRADES,
      bars: CHANNELS.BARS,
      priceChannel: CHANNELS.PRICE_DATA.name,
      intervals: lengths.map((name) => parseInterval(name) as Interval),
      calendar: new Calendar('UTC', ALL_DAY),
      graceMs: 0,
      reviseMs,
      symbols,
      leaseTtlMs: 2_500,
      logger: silentLogger,
      clock: this.clock,
    });
  }

  get stats(): BarStats {
    return this.#service.stats;
  }

  get readiness(): Readiness {
    return this.#service.readiness;
  }

  start(): Promise<void> {
    return this.#service.start();
  }

  async isActive(): Promise<void> {
    await expect.poll(() => this.#service.stats.role).toBe('active');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.stop();
    await this.#connection.close();
  }
}

export async function startBarService(url: string, options: ServiceOptions): Promise<TestBarService> {
  const service = new TestBarService(url, options);
  await service.start();
  return service;
}
