// The form for commands in Chromium: bundled types, own types with and without JSON Schema, and a bot that answers.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import type { Locator } from 'playwright-core';
import { tradeCommands } from 'tickbus';
import { type Bot, defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commandForms } from '../command-forms.ts';
import { type Monitor, startMonitor } from '../monitor-service.ts';
import { TOKEN } from './monitor-server.fixture.ts';
import { PageDriver } from './page-driver.fixture.ts';

const SET_SIZE = z.object({
  size: z.number().min(1),
  mode: z.enum(['fast', 'slow']).optional(),
  dry_run: z.boolean(),
  levels: z.array(z.number()).optional(),
  note: z.string().optional(),
});
/** A vendor that offers no JSON Schema. */
const RELOAD = {
  '~standard': {
    version: 1,
    vendor: 'other',
    validate: (value: unknown) =>
      Array.isArray((value as { files?: unknown }).files)
        ? { value: value as { files: string[] } }
        : { issues: [{ message: 'must be a list', path: ['files'] }] },
  },
} as const;
const BUNDLED = [
  { type: 'cancel_order', fields: [{ name: 'order_id', isRequired: true, kind: 'text' }] },
  { type: 'cancel_all', fields: [{ name: 'symbol', isRequired: false, kind: 'text' }] },
  { type: 'pause', fields: [{ name: 'reason', isRequired: false, kind: 'text' }] },
  { type: 'resume', fields: [{ name: 'reason', isRequired: false, kind: 'text' }] },
  {
    type: 'place_order',
    fields: [
      { name: 'symbol', isRequired: true, kind: 'text' },
      { name: 'side', isRequired: true, kind: 'choice', choices: ['buy', 'sell'] },
      { name: 'quantity', isRequired: true, kind: 'number', min: 0 },
      { name: 'limit_price', isRequired: false, kind: 'number', min: 0 },
      { name: 'order_id', isRequired: false, kind: 'text' },
    ],
  },
];

describe('the forms', () => {
  it('of the bundled types follow from their schemas', () => {
    expect(commandForms(CHANNELS.TRADE_COMMANDS)).toEqual(BUNDLED);
  });

  it.each([
    ['a union', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])],
    ['a record', z.record(z.string(), z.number())],
    ['what JSON cannot express', z.object({ at: z.date() })],
  ])('of %s ask for JSON', (_, schema) => {
    expect(commandForms(tradeCommands({ own: schema })).find(({ type }) => type === 'own')?.fields).toBe(
      undefined,
    );
  });
});

describe('the page', () => {
  let redis: LocalRedis;
  let bot: Bot;
  let monitor: Monitor;
  let driver: PageDriver;
  let dialog: Locator;
  const received: unknown[] = [];

  beforeAll(async () => {
    redis = await startLocalRedis();
    const obey = ({ data }: { readonly data: unknown }) => {
      received.push(data);
      return { outcome: 'done' as const };
    };
    const own = defineBot({ name: 'own', url: redis.url, logger: silentLogger })
      .onCommand('set_size', SET_SIZE, obey)
      .onCommand('reload', RELOAD, obey);
    bot = own;
    await bot.start();
    const options = { url: redis.url, port: 0, token: TOKEN, logger: silentLogger };
    monitor = await startMonitor({ ...options, channels: [own.commands] });
    driver = await PageDriver.open();
    await driver.page.goto(monitor.url);
    await driver.openTab('Commands');
    await driver.page.getByRole('button', { name: 'Send a command' }).click();
    dialog = driver.page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByLabel('Bot').fill('own');
  }, 90_000);
  afterAll(async () => {
    await driver?.close();
    await monitor?.close();
    await bot?.stop();
    await redis?.stop();
  });

  it('offers the own types, and sends the fields as their schema has them', async () => {
    await dialog.getByLabel('Command').selectOption('set_size');
    await dialog.getByLabel('size', { exact: true }).fill('2.5');
    await dialog.getByLabel('mode').selectOption('slow');
    await dialog.getByLabel('dry run').selectOption('false');
    await dialog.getByLabel('levels').fill('[1, 2');
    await review();
    // The browser refuses to submit invalid JSON.
    expect(await invalidInputs().getAttribute('name')).toBe('levels');
    await dialog.getByLabel('levels').fill('[1, 2]');
    await review();
    expect(await dialog.getByRole('group').textContent()).toMatch(
      /size2\.5.*modeslow.*dry runfalse.*levels\[1,2\]/,
    );
    expect((await driver.audit()).violations).toEqual([]);
    await send('set size');
    expect(received.splice(0)).toEqual([
      { bot: 'own', size: 2.5, mode: 'slow', dry_run: false, levels: [1, 2] },
    ]);
  }, 90_000);

  it('sends the JSON of a type without fields, and shows what its schema rejects', async () => {
    await dialog.getByLabel('Command').selectOption('reload');
    const data = dialog.getByLabel('Data');
    await data.fill('["a"]');
    await review();
    expect(await invalidInputs().count()).toBe(1);
    await data.fill('{"files": 5}');
    await review();
    await dialog.getByRole('button', { name: 'Send reload to own' }).click();
    await dialog.getByText(/files.*must be a list/).waitFor();
    await data.fill('{"files": ["a"], "bot": "another"}');
    await review();
    await send('reload');
    expect(received.splice(0)).toEqual([{ bot: 'own', files: ['a'] }]);
    expect((await driver.audit()).violations).toEqual([]);
  }, 90_000);

  const invalidInputs = () => dialog.locator('input:invalid, textarea:invalid');
  const review = () => dialog.getByRole('button', { name: 'Review' }).click();

  async function send(words: string): Promise<void> {
    await dialog.getByRole('button', { name: `Send ${words} to own` }).click();
    await dialog.getByText('own: done.').waitFor();
  }
});
