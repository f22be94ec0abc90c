// The page in a real Chromium, over a whole desk: what an operator sees when something breaks, and when it is mended.

import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { defineChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startMonitor } from '../monitor.ts';
import { Desk, TOKEN } from './desk.ts';
import { Operator } from './operator.ts';
import { eventually, SILENT } from './parts.ts';

/** For a test that fails: processes are started anew in some of them, on a machine that is busy with others. */
const PATIENCE_MS = 40_000;
const GOOD = { redis: 'ok', broker: 'ok', data: 'ok' };

let desk: Desk;
let operator: Operator;
let page: Page;
let publisher: RedisPublisher;

beforeAll(async () => {
  [desk, operator] = await Promise.all([Desk.open(), Operator.atWork()]);
  page = operator.page;
  publisher = new RedisPublisher({ url: desk.redis.url, sender: 'test', logger: SILENT });
  // Before there is a gateway, which alone may do it afterwards: an instrument that does not move.
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'QUIET', price: 5, timestamp: Date.now() });
  desk.startGateway();
  desk.startBots();
  await desk.startMonitor();
  await page.goto(desk.url);
  await allGood();
}, 90_000);
afterAll(async () => {
  await operator?.close();
  await publisher?.close();
  await desk?.close();
});

function allGood(): Promise<void> {
  return eventually(async () => expect(await operator.lamps()).toEqual(GOOD), PATIENCE_MS);
}

describe('with everything up', () => {
  it('prices move, and are fresh', async () => {
    const aapl = operator.price('AAPL');
    const last = aapl.locator('.col-last');
    const first = await last.textContent();
    await eventually(async () => expect(await last.textContent()).not.toBe(first));
    await eventually(async () => expect(await aapl.getAttribute('data-look')).toBe('fresh'));
    expect(await operator.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe('none');
    await aapl.locator('polyline').waitFor();
    await eventually(async () => {
      const [bid, ask, spread] = await aapl.locator('.col-bid, .col-ask, .col-spread').allTextContents();
      const middle = (Number(bid) + Number(ask)) / 2;
      expect(spread).toBe(`${(((Number(ask) - Number(bid)) / middle) * 10_000).toFixed(1)} bp`);
    });
    expect(await aapl.locator('.col-age').textContent()).toMatch(/^\d\.\d s$/);
    await eventually(async () =>
      expect(Number(await aapl.locator('.col-rate').textContent())).toBeGreaterThan(0),
    );
  });

  it('a price that nothing confirms is amber, and not struck through', async () => {
    await eventually(async () => expect(await operator.verdict('QUIET')).toBe('quiet market'));
    expect(await operator.price('QUIET').getAttribute('data-look')).toBe('aging');
    const last = 'tr[data-symbol=QUIET] .col-last';
    expect(await operator.styleOf(last, 'textDecorationLine')).toBe('none');
    expect(await operator.styleOf(last, 'color')).toBe(await operator.colour('--warn'));
  });

  it('only the symbols that are looked for are listed', async () => {
    const find = page.getByLabel('Show only symbols that contain');
    await find.fill('sp');
    await page.getByText(/^1 of \d+ instruments$/).waitFor();
    expect(await page.locator('tr[data-symbol]').count()).toBe(1);
    await find.fill('nothing like it');
    await page.getByText('No symbol contains this.').waitFor();
    await find.fill('');
  });

  it('a row opens its reason, its candles and its way, by keyboard too', async () => {
    await page.locator('tr[data-symbol] button').first().focus();
    await page.keyboard.press('ArrowDown');
    await eventually(async () =>
      expect(await page.evaluate('document.activeElement.textContent')).toBe('MSFT'),
    );
    await page.keyboard.press('Enter');
    const panel = page.getByRole('region', { name: 'MSFT' });
    await panel.locator('canvas').first().waitFor();
    await panel.locator('[data-hop="gateway to Redis"]').waitFor();
    for (const hop of ['broker to gateway', 'gateway to Redis', 'Redis to here']) {
      const times = await panel.locator(`[data-hop="${hop}"] .number`).allTextContents();
      // Never below zero on one machine, whatever the clocks round.
      expect([hop, ...times]).toEqual([hop, ...times.map(() => expect.stringMatching(/^\d+(\.\d+)?$/))]);
      expect(times).toHaveLength(3);
    }
    await panel.locator('.reason[data-verdict="fresh"]').waitFor();
    expect(await panel.getByRole('link', { name: /Lightweight Charts/ }).count()).toBe(1);
    await panel.getByRole('button', { name: 'Close' }).focus();
    await page.keyboard.press('Enter');
    await panel.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('MSFT');
  });

  it('an instrument that the broker refuses is shown with its reason, in its row and among the events', async () => {
    const told = await page.locator('[data-lamp="broker"]').textContent();
    const lease = Number(/holds lease (\d+)/.exec(told ?? '')?.[1]);
    const about = { symbol: 'ZZZZ', feed: 'alpaca', lease, detail: 'Not in this plan.' };
    await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'refused' });
    const row = operator.price('ZZZZ');
    await row.waitFor();
    expect(await operator.verdict('ZZZZ')).toBe('refused');
    expect(await row.getAttribute('title')).toBe('Not in this plan.');
    expect(await row.locator('.col-last').textContent()).toBe('–');
    await operator.tab('Events');
    await operator.event('instrument', 'refuses ZZZZ. Not in this plan.').waitFor();
  });

  it('bots tell how they are, for how long, what they listen to, and what waits in them', async () => {
    const momentum = operator.bot('momentum');
    await eventually(async () => expect(await momentum.getAttribute('data-state')).toBe('running'));
    const [name, state, heard, up, behind] = await momentum.locator('th, td').allTextContents();
    expect(name).toContain('PRICE_DATA');
    expect([state, heard, up, behind]).toEqual([
      'running',
      expect.stringMatching(/^\d+\.\d s$/),
      expect.stringMatching(/ s$/),
      expect.stringMatching(/^\d+$/),
    ]);
  });

  it('a bot shows what it tells: that it is in error and why, how far behind, and since when', async () => {
    await publisher.publish(CHANNELS.BOT_STATUS, {
      bot: 'margin-bot',
      state: 'error',
      detail: 'Out of margin.',
      behind: 1_234,
      started_at: Date.now() - 2 * 3_600_000 - 5 * 60_000,
      subscriptions: ['PRICE_DATA: AAPL'],
      status_interval_ms: 600_000,
    });
    const bot = operator.bot('margin-bot');
    await bot.waitFor();
    const cells = await bot.locator('th, td').allTextContents();
    expect(cells).toEqual([
      'margin-botPRICE_DATA: AAPL',
      'errorOut of margin.',
      expect.stringMatching(/^\d+\.\d s$/),
      '2 h 05 m',
      '1,234',
      'none',
    ]);
    expect(await operator.hiddenBeside('tr[data-bot=margin-bot] td:nth-child(4)')).toBe(0);
    await operator.event('bot', 'margin-bot is error. Out of margin.').waitFor();
  });

  it('channels have a chart, percentiles and subscribers', async () => {
    const prices = page.locator('tr[data-channel="PRICE_DATA"]');
    // The gateway does not listen to it; both bots and the monitor do.
    await eventually(async () =>
      expect(await prices.locator('td').allTextContents()).toEqual([
        expect.stringMatching(/^\d+$/),
        expect.stringMatching(/^\d+(\.\d+)?$/),
        expect.stringMatching(/^\d+(\.\d+)?$/),
        '3',
        expect.stringMatching(/^[\d,]+$/),
        // The gateway has begun a new epoch, after or before the monitor came.
        expect.stringMatching(/^[01]$/),
        '0',
        '0',
      ]),
    );
    await page.getByRole('button', { name: 'FEED_STATUS' }).click();
    const chart = page.getByRole('img', { name: 'Messages a second on FEED_STATUS' });
    await chart.locator('canvas').waitFor();
  });

  it('the tail shows what passes its filter', async () => {
    await operator.tab('Tail');
    const payloads = page.locator('.tail-table .payload');
    await page.getByLabel('Symbol or bot').fill('TSLA');
    await eventually(async () => {
      const texts = await payloads.allTextContents();
      expect(texts.length).toBeGreaterThan(3);
      for (const text of texts) expect(text).toContain('"symbol":"TSLA"');
    });
    await page.getByLabel('Symbol or bot').fill('');
    // Each condition alone lets one message through, and none of the prices between which it comes.
    const rare = { actor: 'somebody', tool: 'test', action: 'publish', outcome: 'sent' } as const;
    const channels = page.locator('.tail-table td.col-channel');
    for (const [field, text] of [
      ['Type', 'audi'],
      ['Sender', 'TES'],
      ['Text', '"actor":"somebody"'],
      ['Channel', 'AUDIT'],
    ] as const) {
      const condition = page.getByLabel(field, { exact: true });
      const set = (value: string) =>
        field === 'Channel' ? condition.selectOption(value) : condition.fill(value);
      await set(text);
      await eventually(async () => {
        await publisher.publish(CHANNELS.AUDIT, rare);
        expect([field, ...new Set(await channels.allTextContents())]).toEqual([field, 'AUDIT']);
      });
      await set('');
      await eventually(async () => expect(await channels.allTextContents()).toContain('PRICE_DATA'));
    }
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(10));
  });

  it('the tail pauses and counts what it skips, turns round, is copied, saved and cleared', async () => {
    const payloads = page.locator('.tail-table .payload');
    const button = (name: string) => page.getByRole('button', { name, exact: true });
    await button('Pause').click();
    const shown = await payloads.allTextContents();
    await eventually(async () => {
      const skipped = await page.locator('[data-skipped]').getAttribute('data-skipped');
      expect(Number(skipped)).toBeGreaterThan(0);
    });
    expect(await payloads.allTextContents()).toEqual(shown);

    await button('Copy').click();
    await page.getByText(/^\d+ copied\.$/).waitFor();
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    const downloading = page.waitForEvent('download');
    await button('Export').click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^tickbus-.*\.jsonl$/);
    expect(await readFile(await download.path(), 'utf8')).toBe(copied);
    const [first, ...rest] = copied.trim().split('\n');
    expect(JSON.parse(first ?? '')).toMatchObject({ channel: expect.any(String), data: expect.any(Object) });
    expect(rest.length).toBeGreaterThan(0);

    await button('Newest first').click();
    await button('Copy').click();
    await eventually(async () => {
      const turned = await page.evaluate<string>('navigator.clipboard.readText()');
      expect(turned.trim().split('\n')).toEqual([first, ...rest].reverse());
    });
    await payloads.first().click();
    const whole = page.getByRole('region', { name: 'One message' });
    expect(JSON.parse((await whole.locator('pre').textContent()) ?? '')).toEqual(
      JSON.parse(copied.trim().split('\n').at(-1) ?? ''),
    );
    // The list has the room of the columns that make way.
    expect(await operator.rightOf('.tail-table th.col-payload')).toBeCloseTo(
      await operator.rightOf('.tail-table'),
      0,
    );
    await whole.getByRole('button', { name: 'Close' }).click();

    await button('Clear').click();
    expect(await payloads.count()).toBe(0);
    await button('Pause').click();
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(0));
  });

  it('sends a command after asking, and shows what came of it', async () => {
    await operator.tab('Commands');
    await page.getByRole('button', { name: 'Send a command' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByLabel('Bot').fill('momentum');
    await dialog.getByLabel('reason').fill('a test');
    await dialog.getByRole('button', { name: 'Look at it' }).click();
    expect(await dialog.textContent()).toContain('Send pause to momentum?');
    // The question has the focus: it is read out, and whoever goes on pressing Enter sends nothing.
    await dialog.getByRole('group', { name: 'Send pause to momentum?' }).waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Send pause to momentum?');
    await page.keyboard.press('Enter');
    expect((await operator.examine()).faults).toEqual([]);
    const sent = page.locator('tr[data-command="pause"]');
    expect(await sent.count()).toBe(0);
    await dialog.getByRole('button', { name: 'Send pause to momentum' }).click();
    await dialog.getByText(/^Sent to \d+ subscriber/).waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => expect(await sent.getAttribute('data-state')).toBe('done'));
    expect(await sent.textContent()).toMatch(/monitor.*to momentum.*a test.*done after \d+ ms/);
    await eventually(async () =>
      expect(await operator.bot('momentum').getAttribute('data-state')).toBe('paused'),
    );
    expect(await operator.bot('momentum').textContent()).toMatch(/pause .*by monitor/);
    await page.keyboard.press('Tab');
    await page.getByRole('tab', { name: 'Commands' }).focus();
    await page.keyboard.press('ArrowRight');
    await operator.event('audit', 'send command pause for momentum').waitFor();
  });

  it('sending is off where the monitor has no token', async () => {
    const other = await startMonitor({ url: desk.redis.url, port: 0, logger: SILENT });
    await page.goto(other.url);
    await operator.tab('Commands');
    await page.getByText('Sending is off. Start the monitor with MONITOR_TOKEN to turn it on.').waitFor();
    expect(await page.getByRole('button', { name: 'Send a command' }).count()).toBe(0);
    await page.goto(desk.url);
    await allGood();
    await other.close();
    await operator.tab('Events');
  });

  it('a message that breaks its schema is counted, and told with what is wrong', async () => {
    const about = {
      kind: 'state',
      key: 'bot',
      messages: { bot_status: z.object({ bot: z.string() }) },
    } as const;
    await publisher.publish(defineChannel('BOT_STATUS', about), { bot: 'careless' });
    await operator.event('invalid', 'BOT_STATUS').waitFor();
    expect(await operator.event('invalid', 'state').textContent()).toContain('careless');
    await eventually(async () =>
      expect(await page.locator('[data-figure="invalid"]').getAttribute('data-bad')).toBe('true'),
    );
  });

  it('is usable in the ways that axe-core can check, dark and wide, light and narrow', async () => {
    await operator.price('MSFT').locator('button').click();
    await operator.tab('Tail');
    for (const [colorScheme, width] of [
      ['dark', 1440],
      ['light', 390],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const { wide, faults } = await operator.examine();
      expect({ colorScheme, width, faults }).toEqual({ colorScheme, width, faults: [] });
      expect(wide).toBeLessThanOrEqual(width);
    }
    // Nothing has to be scrolled to sideways at 390 px.
    for (const part of ['prices', 'bots', 'channels', 'activity'])
      expect([part, await operator.hiddenBeside(`.${part} .scroll`)]).toEqual([part, 0]);
    expect(await operator.bot('momentum').locator('td').last().isVisible()).toBe(true);
    await page.setViewportSize({ width: 1440, height: 900 });
    await operator.price('MSFT').locator('button').click();
  });
});

describe('when something breaks', () => {
  beforeAll(async () => {
    await operator.tab('Events');
    // They are looked for once they have been silent for long enough.
    desk.kill('bots');
  });

  it('a feed that stalls turns the data lamp and not another, and its prices are struck through', async () => {
    desk.broker.faults.mute();
    await eventually(async () => expect(await operator.lamps()).toEqual({ ...GOOD, data: 'bad' }));
    await eventually(
      async () => expect(await operator.price('AAPL').getAttribute('data-look')).toBe('stale'),
      PATIENCE_MS,
    );
    expect(await operator.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe(
      'line-through',
    );
    expect(await operator.verdict('AAPL')).toBe('feed down');
    expect((await operator.examine()).faults).toEqual([]);
    desk.broker.faults.recover();
    await allGood();
    await eventually(async () =>
      expect(await operator.price('AAPL').getAttribute('data-look')).toBe('fresh'),
    );
  }, 60_000);

  it('a gateway that is killed turns the broker lamp, and no other turns red; another one is told as a new lease', async () => {
    desk.kill('gateway');
    const seen = new Set<string | null>();
    await eventually(async () => {
      const { redis, broker, data } = await operator.lamps();
      seen.add(redis).add(data);
      expect(broker).toBe('bad');
    });
    expect(seen).not.toContain('bad');
    expect(await page.locator('[data-lamp="broker"]').textContent()).toContain('gateway silent');
    await eventually(async () => expect(await operator.verdict('AAPL')).toBe('gateway down'));
    expect(await page.title()).toContain('Broker link');
    desk.startGateway();
    await allGood();
    expect(await page.locator('tr[data-kind="lease"]').count()).toBe(2);
  }, 60_000);

  it('bots that die turn red and stay', async () => {
    for (const name of ['momentum', 'paper-trader']) {
      await eventually(async () =>
        expect(await operator.bot(name).getAttribute('data-state')).toBe('overdue'),
      );
      await operator.event('bot', `${name} is overdue`).waitFor();
    }
    expect(await operator.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await operator.styleOf('.bots .bad-text', 'color'),
    );
    await publisher.publish(CHANNELS.BOT_STATUS, { bot: 'momentum', state: 'running' });
    await eventually(async () =>
      expect(await operator.bot('momentum').getAttribute('data-state')).toBe('running'),
    );
    expect(await operator.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
    expect((await operator.examine()).faults).toEqual([]);
  });

  it('Redis that dies turns its lamp, and the others say that they cannot see; what it forgot is told as a gap', async () => {
    await desk.redis.kill();
    await eventually(async () =>
      expect(await operator.lamps()).toEqual({ redis: 'bad', broker: 'unknown', data: 'unknown' }),
    );
    await eventually(async () => expect(await operator.verdict('AAPL')).toBe('link down'));
    // What a bot was when it was last heard is not what it is.
    await page.getByText('as last heard').waitFor();
    expect(await operator.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await operator.colour('--muted'),
    );
    expect((await operator.examine()).faults).toEqual([]);
    await desk.redis.start();
    await operator.event('link', 'Connected to Redis again.').waitFor();
    await operator.event('gap', 'PRICE_DATA: begun anew').waitFor();
    await allGood();
    expect(await operator.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
  }, 60_000);

  it('a monitor that is restarted is found again without a reload', async () => {
    await page.evaluate('globalThis.isSamePage = true');
    await desk.stopMonitor();
    await page.getByRole('alert').waitFor();
    expect(await operator.lamps()).toEqual({ redis: 'unknown', broker: 'unknown', data: 'unknown' });
    await desk.startMonitor();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await allGood();
    expect(await page.evaluate('globalThis.isSamePage')).toBe(true);
  }, 60_000);
});

it('the browser complained of nothing', () => {
  expect(operator.complaints).toEqual([]);
});
