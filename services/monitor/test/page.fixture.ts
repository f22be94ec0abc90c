// Set-up of the page tests: the full system, a browser on the page, and a separate publisher.

import { silentLogger } from '@tickbus/test-kit';
import type { Page } from 'playwright-core';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { expect } from 'vitest';
import { FullStack } from './full-stack.fixture.ts';
import { eventually } from './monitor.fixture.ts';
import { PageDriver } from './page-driver.fixture.ts';

/** Time limit of a failing test. Some tests restart processes, which is slow on a busy machine. */
export const RECOVERY_TIMEOUT_MS = 40_000;
export const ALL_OK = { redis: 'ok', broker: 'ok', data: 'ok' };

export class PageSetup {
  stack!: FullStack;
  driver!: PageDriver;
  page!: Page;
  publisher!: RedisPublisher;

  async open(): Promise<void> {
    [this.stack, this.driver] = await Promise.all([FullStack.open(), PageDriver.open()]);
    this.page = this.driver.page;
    this.publisher = new RedisPublisher({ url: this.stack.redis.url, sender: 'test', logger: silentLogger });
    // An instrument without price changes. Published first: later, only the gateway may publish on PRICE_DATA.
    await this.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'QUIET', price: 5, timestamp: Date.now() });
    this.stack.startGateway();
    this.stack.startBots();
    await this.stack.startMonitor();
    await this.page.goto(this.stack.url);
    await this.allOk();
  }

  allOk(): Promise<void> {
    return eventually(
      async () => expect(await this.driver.indicators()).toEqual(ALL_OK),
      RECOVERY_TIMEOUT_MS,
    );
  }

  async close(): Promise<void> {
    await this.driver?.close();
    await this.publisher?.close();
    await this.stack?.close();
  }
}
