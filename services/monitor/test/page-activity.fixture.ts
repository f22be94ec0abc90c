// Page tests of the activity tabs in normal operation: tail, commands and events.

import { readFile } from 'node:fs/promises';
import { silentLogger } from '@tickbus/test-kit';
import { defineChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { startMonitor } from '../monitor-service.ts';
import { TOKEN } from './full-stack.fixture.ts';
import { eventually } from './monitor.fixture.ts';
import type { PageSetup } from './page.fixture.ts';

export function testActivity(setup: PageSetup): void {
  it('the tail shows messages that match its filter', async () => {
    await setup.driver.openTab('Tail');
    const payloads = setup.page.locator('.tail-table .payload');
    await setup.page.getByLabel('Symbol or bot').fill('TSLA');
    await eventually(async () => {
      const texts = await payloads.allTextContents();
      expect(texts.length).toBeGreaterThan(3);
      for (const text of texts) expect(text).toContain('"symbol":"TSLA"');
    });
    await setup.page.getByLabel('Symbol or bot').fill('');
    // Each condition alone matches one message and none of the surrounding prices.
    const rare = { actor: 'somebody', tool: 'test', action: 'publish', outcome: 'sent' } as const;
    const channels = setup.page.locator('.tail-table td.col-channel');
    for (const [field, text] of [
      ['Type', 'audi'],
      ['Sender', 'TES'],
      ['Text', '"actor":"somebody"'],
      ['Channel', 'AUDIT'],
    ] as const) {
      const condition = setup.page.getByLabel(field, { exact: true });
      const set = (value: string) =>
        field === 'Channel' ? condition.selectOption(value) : condition.fill(value);
      await set(text);
      await eventually(async () => {
        await setup.publisher.publish(CHANNELS.AUDIT, rare);
        expect([field, ...new Set(await channels.allTextContents())]).toEqual([field, 'AUDIT']);
      });
      await set('');
      await eventually(async () => expect(await channels.allTextContents()).toContain('PRICE_DATA'));
    }
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(10));
  });

  it('the tail pauses, counts skipped messages, reverses, copies, exports and clears', async () => {
    const payloads = setup.page.locator('.tail-table .payload');
    const button = (name: string) => setup.page.getByRole('button', { name, exact: true });
    await button('Pause').click();
    const shown = await payloads.allTextContents();
    await eventually(async () => {
      const skipped = await setup.page.locator('[data-skipped]').getAttribute('data-skipped');
      expect(Number(skipped)).toBeGreaterThan(0);
    });
    expect(await payloads.allTextContents()).toEqual(shown);

    await button('Copy').click();
    await setup.page.getByText(/^\d+ copied\.$/).waitFor();
    const copied = await setup.page.evaluate<string>('navigator.clipboard.readText()');
    const downloading = setup.page.waitForEvent('download');
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
      const reversed = await setup.page.evaluate<string>('navigator.clipboard.readText()');
      expect(reversed.trim().split('\n')).toEqual([first, ...rest].reverse());
    });
    await payloads.first().click();
    const details = setup.page.getByRole('region', { name: 'Message details' });
    expect(JSON.parse((await details.locator('pre').textContent()) ?? '')).toEqual(
      JSON.parse(copied.trim().split('\n').at(-1) ?? ''),
    );
    // The payload column takes the width of the hidden columns.
    expect(await setup.driver.rightEdge('.tail-table th.col-payload')).toBeCloseTo(
      await setup.driver.rightEdge('.tail-table'),
      0,
    );
    await details.getByRole('button', { name: 'Close' }).click();

    await button('Clear').click();
    expect(await payloads.count()).toBe(0);
    await button('Pause').click();
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(0));
  });

  it('sends a command after a review, and shows its result', async () => {
    await setup.driver.openTab('Commands');
    await setup.page.getByRole('button', { name: 'Send a command' }).click();
    const dialog = setup.page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByLabel('Bot').fill('momentum');
    await dialog.getByLabel('reason').fill('a test');
    await dialog.getByRole('button', { name: 'Review' }).click();
    expect(await dialog.textContent()).toContain('Send pause to momentum?');
    // The question has the focus: screen readers read it out, and Enter sends nothing.
    await dialog.getByRole('group', { name: 'Send pause to momentum?' }).waitFor();
    expect(await setup.page.evaluate('document.activeElement.textContent')).toContain(
      'Send pause to momentum?',
    );
    await setup.page.keyboard.press('Enter');
    expect((await setup.driver.audit()).violations).toEqual([]);
    const sent = setup.page.locator('tr[data-command="pause"]');
    expect(await sent.count()).toBe(0);
    await dialog.getByRole('button', { name: 'Send pause to momentum' }).click();
    await dialog.getByText(/^momentum: done\. /).waitFor();
    await setup.page.keyboard.press('Escape');
    await eventually(async () => expect(await sent.getAttribute('data-state')).toBe('done'));
    expect(await sent.textContent()).toMatch(/monitor.*to momentum.*a test.*done after \d+ ms/);
    await eventually(async () =>
      expect(await setup.driver.bot('momentum').getAttribute('data-state')).toBe('paused'),
    );
    expect(await setup.driver.bot('momentum').textContent()).toMatch(/pause .*by monitor/);
    await setup.page.keyboard.press('Tab');
    await setup.page.getByRole('tab', { name: 'Commands' }).focus();
    await setup.page.keyboard.press('ArrowRight');
    await setup.driver.event('audit', 'send command pause for momentum').waitFor();
  });

  it('sending is disabled if the monitor has no token', async () => {
    const other = await startMonitor({ url: setup.stack.redis.url, port: 0, logger: silentLogger });
    await setup.page.goto(other.url);
    await setup.driver.openTab('Commands');
    await setup.page
      .getByText('Sending is disabled. Set MONITOR_TOKEN and restart the monitor to enable it.')
      .waitFor();
    expect(await setup.page.getByRole('button', { name: 'Send a command' }).count()).toBe(0);
    await setup.page.goto(setup.stack.url);
    await setup.allOk();
    await other.close();
    await setup.driver.openTab('Events');
  });

  it('counts an invalid message and reports its error', async () => {
    const about = {
      kind: 'state',
      key: 'bot',
      messages: { bot_status: z.object({ bot: z.string() }) },
    } as const;
    await setup.publisher.publish(defineChannel('BOT_STATUS', about), { bot: 'careless' });
    await setup.driver.event('invalid', 'BOT_STATUS').waitFor();
    expect(await setup.driver.event('invalid', 'state').textContent()).toContain('careless');
    await eventually(async () =>
      expect(await setup.page.locator('[data-metric="invalid"]').getAttribute('data-bad')).toBe('true'),
    );
  });
}
