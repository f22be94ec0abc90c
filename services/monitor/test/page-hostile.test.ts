// The page in Chromium beside programs that send made-up names and text that hides what it is.

import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';
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
  // A changed filter clears the list, so messages count from the stream with the filter.
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
