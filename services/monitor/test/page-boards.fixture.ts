// Page tests of prices, bots and channels in normal operation.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { codecFor } from '../../simulated-broker/codec.ts';
import { eventually } from './monitor.fixture.ts';
import type { PageSetup } from './page.fixture.ts';

export function testBoards(setup: PageSetup): void {
  it('prices move, and are fresh', async () => {
    const aapl = setup.driver.price('AAPL');
    const last = aapl.locator('.col-last');
    const first = await last.textContent();
    await eventually(async () => expect(await last.textContent()).not.toBe(first));
    await eventually(async () => expect(await aapl.getAttribute('data-look')).toBe('fresh'));
    expect(await setup.driver.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe('none');
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

  it('the sentence at the top says that all is well', async () => {
    const sentence = setup.page.locator('.status-line[data-state="well"]');
    await eventually(async () =>
      expect(await sentence.textContent()).toMatch(
        /^All is well: alpaca is live, and [1-9] bots? reports?\.$/,
      ),
    );
  });

  it('an unconfirmed price is amber and not struck through', async () => {
    await eventually(async () => expect(await setup.driver.verdict('QUIET')).toBe('quiet market'));
    expect(await setup.driver.price('QUIET').getAttribute('data-look')).toBe('aging');
    const last = 'tr[data-symbol=QUIET] .col-last';
    expect(await setup.driver.styleOf(last, 'textDecorationLine')).toBe('none');
    expect(await setup.driver.styleOf(last, 'color')).toBe(await setup.driver.colour('--warn'));
  });

  it('the filter lists matching symbols only', async () => {
    const find = setup.page.getByLabel('Filter by symbol');
    await find.fill('sp');
    await setup.page.getByText(/^1 of \d+ instruments$/).waitFor();
    expect(await setup.page.locator('tr[data-symbol]').count()).toBe(1);
    await find.fill('nothing like it');
    await setup.page.getByText('No matching symbol.').waitFor();
    await find.fill('');
  });

  it('a row opens reason, candles and hop latencies, also by keyboard', async () => {
    await setup.page.locator('tr[data-symbol] button').first().focus();
    await setup.page.keyboard.press('ArrowDown');
    await eventually(async () =>
      expect(await setup.page.evaluate('document.activeElement.textContent')).toBe('MSFT'),
    );
    await setup.page.keyboard.press('Enter');
    const panel = setup.page.getByRole('region', { name: 'MSFT' });
    await panel.locator('canvas').first().waitFor();
    await panel.locator('[data-hop="gateway to Redis"]').waitFor();
    for (const hop of ['broker to gateway', 'gateway to Redis', 'Redis to monitor']) {
      const times = await panel.locator(`[data-hop="${hop}"] .number`).allTextContents();
      // Never negative on one machine, despite clock rounding.
      expect([hop, ...times]).toEqual([hop, ...times.map(() => expect.stringMatching(/^\d+(\.\d+)?$/))]);
      expect(times).toHaveLength(3);
    }
    await panel.locator('.reason[data-verdict="fresh"]').waitFor();
    expect(await panel.getByRole('link', { name: /Lightweight Charts/ }).count()).toBe(1);
    await panel.getByRole('button', { name: 'Close' }).focus();
    await setup.page.keyboard.press('Enter');
    await panel.waitFor({ state: 'detached' });
    expect(await setup.page.evaluate('document.activeElement.textContent')).toBe('MSFT');
  });

  it('an instrument refused by the broker is shown with the reason, in its row and as an event', async () => {
    const text = await setup.page.locator('[data-indicator="broker"]').textContent();
    const lease = Number(/holds lease (\d+)/.exec(text ?? '')?.[1]);
    const about = { symbol: 'ZZZZ', feed: 'alpaca', lease, detail: 'Not in this plan.' };
    await setup.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'refused' });
    const row = setup.driver.price('ZZZZ');
    await row.waitFor();
    expect(await setup.driver.verdict('ZZZZ')).toBe('refused');
    await setup.page.getByText('The feed alpaca refuses ZZZZ (Not in this plan).').waitFor();
    expect(await row.getAttribute('title')).toBe('Not in this plan.');
    expect(await row.locator('.col-last').textContent()).toBe('–');
    await setup.driver.openTab('Events');
    await setup.driver.event('instrument', 'refuses ZZZZ. Not in this plan.').waitFor();
  });

  it('a price band is shown beside the price and in the panel, and disappears with its end', async () => {
    // A gateway that requests all instruments reports the bands of those that bots name.
    await using bot = new RedisSubscriber({ url: setup.stack.redis.url, logger: silentLogger });
    bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
    await bot.startListening();
    const send = (band: { readonly d: number; readonly u: number; readonly i: string }) => {
      const message: { readonly T: string; readonly [field: string]: unknown } = {
        T: 'l',
        S: 'MSFT',
        t: new Date(),
        z: 'C',
        ...band,
      };
      setup.stack.broker.faults.sendFrame(codecFor('application/msgpack').encode([message]));
    };
    expect(await setup.page.getByRole('columnheader', { name: 'Band' }).count()).toBe(0);
    send({ d: 1, u: 9_000.5, i: 'B' });
    const cell = setup.driver.price('MSFT').locator('.col-band');
    await eventually(async () => expect(await cell.textContent()).toBe('1.00 – 9000.50'));
    await setup.driver.price('MSFT').locator('button').click();
    const panel = setup.page.getByRole('region', { name: 'MSFT' });
    await panel.getByText('Price band 1.00 – 9000.50').waitFor();
    send({ d: 0, u: 0, i: 'D' });
    await eventually(async () => expect(await cell.textContent()).toBe(''));
    await panel.locator('.band').waitFor({ state: 'detached' });
    await setup.driver.price('MSFT').locator('button').click();
  });

  it('bots show state, uptime, subscriptions and backlog', async () => {
    const momentum = setup.driver.bot('momentum');
    await eventually(async () => expect(await momentum.getAttribute('data-state')).toBe('running'));
    const [name, state, lastSeen, up, behind] = await momentum.locator('th, td').allTextContents();
    expect(name).toContain('PRICE_DATA');
    expect([state, lastSeen, up, behind]).toEqual([
      'running',
      expect.stringMatching(/^\d+\.\d s$/),
      expect.stringMatching(/ s$/),
      expect.stringMatching(/^\d+$/),
    ]);
  });

  it('a bot in error shows the reason, backlog and uptime', async () => {
    await setup.publisher.publish(CHANNELS.BOT_STATUS, {
      bot: 'margin-bot',
      state: 'error',
      detail: 'Out of margin.',
      behind: 1_234,
      started_at: Date.now() - 2 * 3_600_000 - 5 * 60_000,
      subscriptions: ['PRICE_DATA: AAPL'],
      status_interval_ms: 600_000,
    });
    const bot = setup.driver.bot('margin-bot');
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
    expect(await setup.driver.horizontalOverflow('tr[data-bot=margin-bot] td:nth-child(4)')).toBe(0);
    await setup.driver.event('bot', 'margin-bot is error. Out of margin.').waitFor();
  });

  it('channels have a chart, percentiles and subscribers', async () => {
    const prices = setup.page.locator('tr[data-channel="PRICE_DATA"]');
    // Three subscribers: both bots and the monitor, not the gateway.
    await eventually(async () =>
      expect(await prices.locator('td').allTextContents()).toEqual([
        expect.stringMatching(/^\d+$/),
        expect.stringMatching(/^\d+(\.\d+)?$/),
        expect.stringMatching(/^\d+(\.\d+)?$/),
        '3',
        expect.stringMatching(/^[\d,]+$/),
        // The gateway starts a new epoch before or after the monitor subscribes, so the monitor sees no gap or one.
        expect.stringMatching(/^[01]$/),
        '0',
        '0',
      ]),
    );
    await setup.page.getByRole('button', { name: 'FEED_STATUS' }).click();
    const chart = setup.page.getByRole('img', { name: 'Messages per second on FEED_STATUS' });
    await chart.locator('canvas').waitFor();
  });
}
