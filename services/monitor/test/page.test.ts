// The page in a real Chromium, over a whole desk: what an operator sees when something breaks, and when it is mended.

import axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBrowser } from '../bench/browser.ts';
import { Desk, TOKEN } from './desk.ts';
import { eventually, SILENT } from './parts.ts';

let desk: Desk;
let browser: { context: BrowserContext; close(): Promise<void> };
let page: Page;
let publisher: RedisPublisher;
/** What the browser complained of: a broken policy, a script that failed. */
const complaints: string[] = [];

beforeAll(async () => {
  desk = await Desk.open();
  publisher = new RedisPublisher({ url: desk.redis.url, sender: 'test', logger: SILENT });
  [browser] = await Promise.all([openBrowser(), desk.startMonitor()]);
  page = await browser.context.newPage();
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (message) => {
    // A stream that breaks is part of the tests.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource'))
      complaints.push(message.text());
  });
  await page.goto(desk.url);
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await publisher?.close();
  await desk?.close();
});

const lamp = (name: string) => page.locator(`[data-lamp="${name}"]`).getAttribute('data-state');
const lamps = async () => ({
  redis: await lamp('redis'),
  broker: await lamp('broker'),
  data: await lamp('data'),
});
const row = (symbol: string) => page.locator(`tr[data-symbol="${symbol}"]`);

async function gatewayUp(): Promise<void> {
  desk.startGateway();
  await eventually(
    async () => expect(await lamps()).toEqual({ redis: 'ok', broker: 'ok', data: 'ok' }),
    40_000,
  );
}

describe('with everything up', () => {
  beforeAll(async () => {
    await eventually(async () =>
      expect(await lamps()).toEqual({ redis: 'ok', broker: 'bad', data: 'unknown' }),
    );
    await gatewayUp();
  }, 60_000);

  it('prices move, and are fresh', async () => {
    const last = row('AAPL').locator('.col-last');
    const first = await last.textContent();
    await eventually(async () => expect(await last.textContent()).not.toBe(first));
    await eventually(async () => expect(await row('AAPL').getAttribute('data-look')).toBe('fresh'));
    expect(await styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe('none');
    await row('AAPL').locator('polyline').waitFor();
  });

  it('a row opens its candles and its way, by keyboard too', async () => {
    await page.locator('tr[data-symbol] button').first().focus();
    await page.keyboard.press('ArrowDown');
    await eventually(async () =>
      expect(await page.evaluate('document.activeElement.textContent')).toBe('MSFT'),
    );
    await page.keyboard.press('Enter');
    const panel = page.getByRole('region', { name: 'MSFT' });
    await panel.locator('canvas').first().waitFor();
    await panel.locator('[data-hop="gateway to Redis"]').waitFor();
    expect(await panel.getByRole('link', { name: /Lightweight Charts/ }).count()).toBe(1);
    await panel.getByRole('button', { name: 'Close' }).click();
    await panel.waitFor({ state: 'detached' });
  });

  it('an instrument that the broker refuses is shown with its reason, in its row and among the events', async () => {
    const lease = Number(
      /holds lease (\d+)/.exec((await page.locator('[data-lamp="broker"]').textContent()) ?? '')?.[1],
    );
    const refused = { symbol: 'ZZZZ', feed: 'alpaca', lease, state: 'refused', detail: 'Not in this plan.' };
    await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...refused, state: 'refused' });
    await row('ZZZZ').waitFor();
    expect(await row('ZZZZ').locator('.col-verdict').textContent()).toBe('refused');
    expect(await row('ZZZZ').getAttribute('title')).toBe('Not in this plan.');
    expect(await row('ZZZZ').locator('.col-last').textContent()).toBe('–');
    await page.getByRole('tab', { name: 'Events' }).click();
    await page
      .locator('tr[data-kind="instrument"]', { hasText: 'refuses ZZZZ. Not in this plan.' })
      .waitFor();
  });

  it('the tail shows what passes its filter', async () => {
    await page.getByRole('tab', { name: 'Tail' }).click();
    await page.getByLabel('Symbol or bot').fill('TSLA');
    const payloads = page.locator('.tail-table .payload');
    await eventually(async () => {
      const texts = await payloads.allTextContents();
      expect(texts.length).toBeGreaterThan(3);
      for (const text of texts) expect(text).toContain('"symbol":"TSLA"');
    });
    await page.getByLabel('Channel', { exact: true }).selectOption('FEED_STATUS');
    await page.getByLabel('Symbol or bot').fill('');
    await eventually(async () => {
      const channels = await page.locator('.tail-table td.col-channel').allTextContents();
      expect(new Set(channels)).toEqual(new Set(['FEED_STATUS']));
    });
    await page.getByLabel('Channel', { exact: true }).selectOption('');
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(10));
    await page.getByRole('button', { name: 'Pause' }).click();
    const shown = await payloads.allTextContents();
    await eventually(async () => {
      const skipped = await page.locator('[data-skipped]').getAttribute('data-skipped');
      expect(Number(skipped)).toBeGreaterThan(0);
    });
    expect(await payloads.allTextContents()).toEqual(shown);
    await page.getByRole('button', { name: 'Pause' }).click();
  });

  it('sends a command after asking, and shows what came of it', async () => {
    await page.getByRole('tab', { name: 'Commands' }).click();
    await page.getByRole('button', { name: 'Send a command' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByLabel('Bot').fill('nobody');
    await dialog.getByLabel('reason').fill('a test');
    await dialog.getByRole('button', { name: 'Look at it' }).click();
    expect(await dialog.textContent()).toContain('Send pause to nobody?');
    expect(await page.locator('tr[data-command="pause"]').count()).toBe(0);
    await dialog.getByRole('button', { name: 'Send pause to nobody' }).click();
    await dialog.getByText(/^Sent to \d+ subscriber/).waitFor();
    await page.keyboard.press('Escape');
    const sent = page.locator('tr[data-command="pause"]');
    await sent.waitFor();
    expect(await sent.textContent()).toContain('a test');
    await page.getByRole('tab', { name: 'Events' }).click();
    await page.locator('tr[data-kind="audit"]', { hasText: 'send command pause for nobody' }).waitFor();
  });

  it('is usable in the ways that axe-core can check, dark and wide, light and narrow', async () => {
    await row('MSFT').locator('button').click();
    await page.getByRole('tab', { name: 'Tail' }).click();
    for (const [colorScheme, width] of [
      ['dark', 1440],
      ['light', 390],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const { wide, faults } = await looked();
      expect({ colorScheme, width, faults }).toEqual({ colorScheme, width, faults: [] });
      expect(wide).toBeLessThanOrEqual(width);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press('Escape');
  });
});

describe('when something breaks', () => {
  beforeEach(async () => {
    await page.getByRole('tab', { name: 'Events' }).click();
  });

  it('a feed that stalls turns the data lamp and not another, and its prices are struck through', async () => {
    desk.broker.faults.mute();
    await eventually(async () => expect(await lamps()).toEqual({ redis: 'ok', broker: 'ok', data: 'bad' }));
    await eventually(async () => expect(await row('AAPL').getAttribute('data-look')).toBe('stale'), 40_000);
    expect(await styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe('line-through');
    expect(await row('AAPL').locator('.col-verdict').textContent()).toBe('feed down');
    desk.broker.faults.recover();
    await eventually(async () => expect(await lamp('data')).toBe('ok'));
    await eventually(async () => expect(await row('AAPL').getAttribute('data-look')).toBe('fresh'));
  }, 60_000);

  it('a gateway that is killed turns the broker lamp, and no other turns red', async () => {
    desk.kill('gateway');
    const seen = new Set<string | null>();
    await eventually(async () => {
      const { redis, broker, data } = await lamps();
      seen.add(redis).add(data);
      expect(broker).toBe('bad');
    });
    expect(seen).not.toContain('bad');
    expect(await page.locator('[data-lamp="broker"]').textContent()).toContain('gateway silent');
    await eventually(async () =>
      expect(await row('AAPL').locator('.col-verdict').textContent()).toBe('gateway down'),
    );
    expect(await page.title()).toContain('Broker link');
    await gatewayUp();
  }, 60_000);

  it('a bot that dies turns red and stays', async () => {
    const bot = page.locator('tr[data-bot="dying"]');
    const status = { bot: 'dying', state: 'running', status_interval_ms: 300 } as const;
    await publisher.publish(CHANNELS.BOT_STATUS, status);
    await bot.waitFor();
    await eventually(async () => expect(await bot.getAttribute('data-state')).toBe('overdue'));
    expect(await styleOf('tr[data-bot=dying] .bot-state', 'color')).toBe(
      await styleOf('.bots .bad-text', 'color'),
    );
    await page.locator('tr[data-kind="bot"]', { hasText: 'dying is overdue' }).waitFor();
    await publisher.publish(CHANNELS.BOT_STATUS, status);
    await eventually(async () => expect(await bot.getAttribute('data-state')).toBe('running'));
    await eventually(async () => expect(await bot.getAttribute('data-state')).toBe('overdue'));
  });

  it('Redis that dies turns its lamp; the others say that they cannot see', async () => {
    await desk.redis.kill();
    await eventually(async () =>
      expect(await lamps()).toEqual({ redis: 'bad', broker: 'unknown', data: 'unknown' }),
    );
    await eventually(async () =>
      expect(await row('AAPL').locator('.col-verdict').textContent()).toBe('link down'),
    );
    await desk.redis.start();
    await eventually(
      async () => expect(await lamps()).toEqual({ redis: 'ok', broker: 'ok', data: 'ok' }),
      40_000,
    );
  }, 60_000);

  it('a monitor that is restarted is found again without a reload', async () => {
    await page.evaluate('globalThis.isSamePage = true');
    await desk.stopMonitor();
    await page.getByRole('alert').waitFor();
    expect(await lamps()).toEqual({ redis: 'unknown', broker: 'unknown', data: 'unknown' });
    await desk.startMonitor();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await eventually(
      async () => expect(await lamps()).toEqual({ redis: 'ok', broker: 'ok', data: 'ok' }),
      40_000,
    );
    expect(await page.evaluate('globalThis.isSamePage')).toBe(true);
  }, 60_000);
});

it('the browser complained of nothing', () => {
  expect(complaints).toEqual([]);
});

function styleOf(selector: string, property: string): Promise<string> {
  return page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`);
}

/** How wide the page is, and the serious faults that axe-core finds. Run beside the page's policy, as a browser's tools are. */
async function looked(): Promise<{ wide: number; faults: string[] }> {
  const session = await page.context().newCDPSession(page);
  const evaluate = async (expression: string) =>
    (await session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })).result
      .value;
  await evaluate(`${axe.source}; undefined`);
  const faults = await evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 120)).join(' | ')))`);
  const wide = await evaluate('document.documentElement.scrollWidth');
  await session.detach();
  return { wide, faults };
}
