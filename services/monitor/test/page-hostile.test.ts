// The page in Chromium, while other programs send made-up names and misleading text.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import { MonitorServer, TOKEN } from './monitor-server.fixture.ts';
import { PageDriver } from './page-driver.fixture.ts';

let server: MonitorServer;
let driver: PageDriver;
beforeAll(async () => {
  [server, driver] = await Promise.all([MonitorServer.open(), PageDriver.open()]);
  await driver.page.goto(server.monitor.url);
}, 90_000);
afterAll(async () => {
  await driver?.close();
  await server?.close();
});

const publishBot = (bot: string, detail?: string) =>
  server.publisher.publish(CHANNELS.BOT_STATUS, { bot, state: 'running', ...(detail && { detail }) });

it('shows invisible and reordering characters, and markup as text', async () => {
  await publishBot('momentum\u202e', '<img src=x onerror="document.title=1"> \u001b[31m');
  await publishBot('momentum');
  await server.publisher.publish(CHANNELS.PRICE_DATA, {
    symbol: 'AA\u202ePL',
    price: 1,
    timestamp: Date.now(),
  });
  const bot = driver.bot('momentum\\\\u202e');
  await bot.waitFor();
  expect(await bot.locator('th').textContent()).toBe('momentum\\u202e');
  expect(await bot.locator('.bot-state').textContent()).toContain(
    '<img src=x onerror="document.title=1"> \\u001b[31m',
  );
  const price = driver.price('AA\\\\u202ePL');
  await price.locator('button').click();
  await driver.page.getByRole('region', { name: 'AA\\u202ePL' }).waitFor();
  await driver.openTab('Tail');
  // A changed filter clears the list, so the test waits for the stream with the filter before it sends messages.
  const filtered = driver.page.waitForResponse((response) =>
    /\/api\/tail\?.*sender=test/.test(response.url()),
  );
  await driver.page.getByLabel('Sender').fill('test');
  await filtered;
  await eventually(async () => {
    await publishBot('momentum\u202e');
    const payloads = await driver.page.locator('.tail-table .payload').allTextContents();
    expect(payloads.join()).toContain('momentum\\u202e');
  });
  await driver.page.getByRole('button', { name: 'Pause', exact: true }).click();
  await driver.page.locator('.tail-table .payload').first().focus();
  await driver.page.keyboard.press('Enter');
  expect(await driver.page.locator('.message-details pre').textContent()).toContain('"momentum\\u{202e}"');
  expect(await driver.page.content()).not.toContain('\u202e');
}, 90_000);

it('shows a real bot after 1,200 made-up ones, and says how many rows were dropped', async () => {
  await Promise.all(Array.from({ length: 1_200 }, (_, index) => publishBot(`fake-${index}`)));
  await publishBot('late-bot');
  await driver.openTab('Events');
  await driver.bot('late-bot').waitFor();
  await eventually(async () => {
    expect(await driver.page.locator('[data-dropped=bots]').textContent()).toMatch(/^\d+ dropped$/);
    expect(await driver.page.locator('[data-dropped=events]').textContent()).toMatch(/^[\d,]+ dropped$/);
    expect(await driver.page.locator('tr[data-bot]').count()).toBeLessThanOrEqual(1_000);
    expect(await driver.page.locator('tr[data-kind]').count()).toBe(500);
  });
  expect(driver.browserErrors).toEqual([]);
}, 90_000);

it('gives a command up that waits behind other pages, and never sends it later', async () => {
  const received: string[] = [];
  const subscriber = new RedisSubscriber({ url: server.redis.url, logger: silentLogger });
  subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ data }) => received.push(data.bot));
  await subscriber.startListening();
  await driver.page.goto(server.monitor.url);
  await driver.openTab('Commands');
  await driver.page.getByRole('button', { name: 'Send a command' }).click();
  const send = async (bot: string) => {
    await driver.page.getByLabel('Token').fill(TOKEN);
    await driver.page.getByLabel('Bot', { exact: true }).fill(bot);
    await driver.page.getByRole('button', { name: 'Review' }).click();
    await driver.page.getByRole('button', { name: `Send pause to ${bot}` }).click();
  };
  // Chromium opens at most six connections to one address. The page uses one; these streams use the others.
  await driver.page.evaluate(`(async () => {
    globalThis.others = Array.from({ length: 5 }, () => new EventSource('/api/tail?text=never'));
    await Promise.all(others.map((other) => new Promise((resolve) => { other.onopen = resolve; })));
  })()`);
  // The next request of the page times out when the test calls `giveUp`.
  await driver.page.evaluate(`(() => {
    const { timeout } = AbortSignal;
    const controller = new AbortController();
    AbortSignal.timeout = (ms) => {
      AbortSignal.timeout = timeout;
      globalThis.limitMs = ms;
      return controller.signal;
    };
    globalThis.giveUp = () => controller.abort(new DOMException('The request timed out.', 'TimeoutError'));
  })()`);
  await send('waits');
  expect(await driver.page.evaluate('limitMs')).toBe(10_000);
  await driver.page.evaluate('giveUp()');
  const result = driver.page.locator('.send-result');
  await result.getByText('The outcome is unknown').waitFor();
  await driver.page.evaluate('others.forEach((other) => other.close())');
  await send('does-not-wait');
  await result.getByText('has not answered').waitFor();
  await eventually(() => expect(received).toEqual(['does-not-wait']));
  await driver.page.getByLabel('Token').fill('ein schönes langes Token');
  expect(await driver.page.locator('input:invalid').count()).toBeGreaterThan(0);
  await driver.page.getByRole('button', { name: 'Close' }).click();
  await subscriber.close();
}, 90_000);
