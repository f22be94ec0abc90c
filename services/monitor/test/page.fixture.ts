// What the tests of the page need: a whole desk, an operator at its page, and a publisher that is nobody's.

import { silentLogger } from '@tickbus/test-kit';
import type { Page } from 'playwright-core';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { expect } from 'vitest';
import { FullStack } from './full-stack.fixture.ts';
import { eventually } from './monitor.fixture.ts';
import { PageDriver } from './page-driver.fixture.ts';

/** For a test that fails: processes are started anew in some of them, on a machine that is busy with others. */
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
    // Before there is a gateway, which alone may do it afterwards: an instrument that does not move.
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
