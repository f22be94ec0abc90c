// What the tests of the page need: a whole desk, an operator at its page, and a publisher that is nobody's.

import { silentLogger } from '@tickbus/test-kit';
import type { Page } from 'playwright-core';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { expect } from 'vitest';
import { Desk } from './desk.ts';
import { eventually } from './monitor.fixture.ts';
import { Operator } from './operator.ts';

/** For a test that fails: processes are started anew in some of them, on a machine that is busy with others. */
export const PATIENCE_MS = 40_000;
export const GOOD = { redis: 'ok', broker: 'ok', data: 'ok' };

export class Scene {
  desk!: Desk;
  operator!: Operator;
  page!: Page;
  publisher!: RedisPublisher;

  async open(): Promise<void> {
    [this.desk, this.operator] = await Promise.all([Desk.open(), Operator.atWork()]);
    this.page = this.operator.page;
    this.publisher = new RedisPublisher({ url: this.desk.redis.url, sender: 'test', logger: silentLogger });
    // Before there is a gateway, which alone may do it afterwards: an instrument that does not move.
    await this.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'QUIET', price: 5, timestamp: Date.now() });
    this.desk.startGateway();
    this.desk.startBots();
    await this.desk.startMonitor();
    await this.page.goto(this.desk.url);
    await this.allGood();
  }

  allGood(): Promise<void> {
    return eventually(async () => expect(await this.operator.lamps()).toEqual(GOOD), PATIENCE_MS);
  }

  async close(): Promise<void> {
    await this.operator?.close();
    await this.publisher?.close();
    await this.desk?.close();
  }
}
