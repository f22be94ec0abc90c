// The boards of the page: prices, bots and channels, as an operator sees them with everything up.

import { CHANNELS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import type { PageSetup } from './page.fixture.ts';

export function testBoards(scene: PageSetup): void {
  it('prices move, and are fresh', async () => {
    const aapl = scene.driver.price('AAPL');
    const last = aapl.locator('.col-last');
    const first = await last.textContent();
    await eventually(async () => expect(await last.textContent()).not.toBe(first));
    await eventually(async () => expect(await aapl.getAttribute('data-look')).toBe('fresh'));
    expect(await scene.driver.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe('none');
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
    await eventually(async () => expect(await scene.driver.verdict('QUIET')).toBe('quiet market'));
    expect(await scene.driver.price('QUIET').getAttribute('data-look')).toBe('aging');
    const last = 'tr[data-symbol=QUIET] .col-last';
    expect(await scene.driver.styleOf(last, 'textDecorationLine')).toBe('none');
    expect(await scene.driver.styleOf(last, 'color')).toBe(await scene.driver.colour('--warn'));
  });

  it('only the symbols that are looked for are listed', async () => {
    const find = scene.page.getByLabel('Show only symbols that contain');
    await find.fill('sp');
    await scene.page.getByText(/^1 of \d+ instruments$/).waitFor();
    expect(await scene.page.locator('tr[data-symbol]').count()).toBe(1);
    await find.fill('nothing like it');
    await scene.page.getByText('No symbol contains this.').waitFor();
    await find.fill('');
  });

  it('a row opens its reason, its candles and its way, by keyboard too', async () => {
    await scene.page.locator('tr[data-symbol] button').first().focus();
    await scene.page.keyboard.press('ArrowDown');
    await eventually(async () =>
      expect(await scene.page.evaluate('document.activeElement.textContent')).toBe('MSFT'),
    );
    await scene.page.keyboard.press('Enter');
    const panel = scene.page.getByRole('region', { name: 'MSFT' });
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
    await scene.page.keyboard.press('Enter');
    await panel.waitFor({ state: 'detached' });
    expect(await scene.page.evaluate('document.activeElement.textContent')).toBe('MSFT');
  });

  it('an instrument that the broker refuses is shown with its reason, in its row and among the events', async () => {
    const told = await scene.page.locator('[data-indicator="broker"]').textContent();
    const lease = Number(/holds lease (\d+)/.exec(told ?? '')?.[1]);
    const about = { symbol: 'ZZZZ', feed: 'alpaca', lease, detail: 'Not in this plan.' };
    await scene.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'refused' });
    const row = scene.driver.price('ZZZZ');
    await row.waitFor();
    expect(await scene.driver.verdict('ZZZZ')).toBe('refused');
    expect(await row.getAttribute('title')).toBe('Not in this plan.');
    expect(await row.locator('.col-last').textContent()).toBe('–');
    await scene.driver.openTab('Events');
    await scene.driver.event('instrument', 'refuses ZZZZ. Not in this plan.').waitFor();
  });

  it('bots tell how they are, for how long, what they listen to, and what waits in them', async () => {
    const momentum = scene.driver.bot('momentum');
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
    await scene.publisher.publish(CHANNELS.BOT_STATUS, {
      bot: 'margin-bot',
      state: 'error',
      detail: 'Out of margin.',
      behind: 1_234,
      started_at: Date.now() - 2 * 3_600_000 - 5 * 60_000,
      subscriptions: ['PRICE_DATA: AAPL'],
      status_interval_ms: 600_000,
    });
    const bot = scene.driver.bot('margin-bot');
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
    expect(await scene.driver.horizontalOverflow('tr[data-bot=margin-bot] td:nth-child(4)')).toBe(0);
    await scene.driver.event('bot', 'margin-bot is error. Out of margin.').waitFor();
  });

  it('channels have a chart, percentiles and subscribers', async () => {
    const prices = scene.page.locator('tr[data-channel="PRICE_DATA"]');
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
    await scene.page.getByRole('button', { name: 'FEED_STATUS' }).click();
    const chart = scene.page.getByRole('img', { name: 'Messages a second on FEED_STATUS' });
    await chart.locator('canvas').waitFor();
  });
}
