// The activity on the page: the tail, commands and events, as an operator uses them with everything up.

import { readFile } from 'node:fs/promises';
import { silentLogger } from '@tickbus/test-kit';
import { defineChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { startMonitor } from '../monitor.ts';
import { TOKEN } from './full-stack.fixture.ts';
import { eventually } from './monitor.fixture.ts';
import type { PageSetup } from './page.fixture.ts';

export function testActivity(scene: PageSetup): void {
  it('the tail shows what passes its filter', async () => {
    await scene.driver.openTab('Tail');
    const payloads = scene.page.locator('.tail-table .payload');
    await scene.page.getByLabel('Symbol or bot').fill('TSLA');
    await eventually(async () => {
      const texts = await payloads.allTextContents();
      expect(texts.length).toBeGreaterThan(3);
      for (const text of texts) expect(text).toContain('"symbol":"TSLA"');
    });
    await scene.page.getByLabel('Symbol or bot').fill('');
    // Each condition alone lets one message through, and none of the prices between which it comes.
    const rare = { actor: 'somebody', tool: 'test', action: 'publish', outcome: 'sent' } as const;
    const channels = scene.page.locator('.tail-table td.col-channel');
    for (const [field, text] of [
      ['Type', 'audi'],
      ['Sender', 'TES'],
      ['Text', '"actor":"somebody"'],
      ['Channel', 'AUDIT'],
    ] as const) {
      const condition = scene.page.getByLabel(field, { exact: true });
      const set = (value: string) =>
        field === 'Channel' ? condition.selectOption(value) : condition.fill(value);
      await set(text);
      await eventually(async () => {
        await scene.publisher.publish(CHANNELS.AUDIT, rare);
        expect([field, ...new Set(await channels.allTextContents())]).toEqual([field, 'AUDIT']);
      });
      await set('');
      await eventually(async () => expect(await channels.allTextContents()).toContain('PRICE_DATA'));
    }
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(10));
  });

  it('the tail pauses and counts what it skips, turns round, is copied, saved and cleared', async () => {
    const payloads = scene.page.locator('.tail-table .payload');
    const button = (name: string) => scene.page.getByRole('button', { name, exact: true });
    await button('Pause').click();
    const shown = await payloads.allTextContents();
    await eventually(async () => {
      const skipped = await scene.page.locator('[data-skipped]').getAttribute('data-skipped');
      expect(Number(skipped)).toBeGreaterThan(0);
    });
    expect(await payloads.allTextContents()).toEqual(shown);

    await button('Copy').click();
    await scene.page.getByText(/^\d+ copied\.$/).waitFor();
    const copied = await scene.page.evaluate<string>('navigator.clipboard.readText()');
    const downloading = scene.page.waitForEvent('download');
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
      const turned = await scene.page.evaluate<string>('navigator.clipboard.readText()');
      expect(turned.trim().split('\n')).toEqual([first, ...rest].reverse());
    });
    await payloads.first().click();
    const whole = scene.page.getByRole('region', { name: 'One message' });
    expect(JSON.parse((await whole.locator('pre').textContent()) ?? '')).toEqual(
      JSON.parse(copied.trim().split('\n').at(-1) ?? ''),
    );
    // The list has the room of the columns that make way.
    expect(await scene.driver.rightEdge('.tail-table th.col-payload')).toBeCloseTo(
      await scene.driver.rightEdge('.tail-table'),
      0,
    );
    await whole.getByRole('button', { name: 'Close' }).click();

    await button('Clear').click();
    expect(await payloads.count()).toBe(0);
    await button('Pause').click();
    await eventually(async () => expect(await payloads.count()).toBeGreaterThan(0));
  });

  it('sends a command after asking, and shows what came of it', async () => {
    await scene.driver.openTab('Commands');
    await scene.page.getByRole('button', { name: 'Send a command' }).click();
    const dialog = scene.page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(TOKEN);
    await dialog.getByLabel('Bot').fill('momentum');
    await dialog.getByLabel('reason').fill('a test');
    await dialog.getByRole('button', { name: 'Look at it' }).click();
    expect(await dialog.textContent()).toContain('Send pause to momentum?');
    // The question has the focus: it is read out, and whoever goes on pressing Enter sends nothing.
    await dialog.getByRole('group', { name: 'Send pause to momentum?' }).waitFor();
    expect(await scene.page.evaluate('document.activeElement.textContent')).toContain(
      'Send pause to momentum?',
    );
    await scene.page.keyboard.press('Enter');
    expect((await scene.driver.audit()).faults).toEqual([]);
    const sent = scene.page.locator('tr[data-command="pause"]');
    expect(await sent.count()).toBe(0);
    await dialog.getByRole('button', { name: 'Send pause to momentum' }).click();
    await dialog.getByText(/^Sent to \d+ subscriber/).waitFor();
    await scene.page.keyboard.press('Escape');
    await eventually(async () => expect(await sent.getAttribute('data-state')).toBe('done'));
    expect(await sent.textContent()).toMatch(/monitor.*to momentum.*a test.*done after \d+ ms/);
    await eventually(async () =>
      expect(await scene.driver.bot('momentum').getAttribute('data-state')).toBe('paused'),
    );
    expect(await scene.driver.bot('momentum').textContent()).toMatch(/pause .*by monitor/);
    await scene.page.keyboard.press('Tab');
    await scene.page.getByRole('tab', { name: 'Commands' }).focus();
    await scene.page.keyboard.press('ArrowRight');
    await scene.driver.event('audit', 'send command pause for momentum').waitFor();
  });

  it('sending is off where the monitor has no token', async () => {
    const other = await startMonitor({ url: scene.stack.redis.url, port: 0, logger: silentLogger });
    await scene.page.goto(other.url);
    await scene.driver.openTab('Commands');
    await scene.page
      .getByText('Sending is off. Start the monitor with MONITOR_TOKEN to turn it on.')
      .waitFor();
    expect(await scene.page.getByRole('button', { name: 'Send a command' }).count()).toBe(0);
    await scene.page.goto(scene.stack.url);
    await scene.allOk();
    await other.close();
    await scene.driver.openTab('Events');
  });

  it('a message that breaks its schema is counted, and told with what is wrong', async () => {
    const about = {
      kind: 'state',
      key: 'bot',
      messages: { bot_status: z.object({ bot: z.string() }) },
    } as const;
    await scene.publisher.publish(defineChannel('BOT_STATUS', about), { bot: 'careless' });
    await scene.driver.event('invalid', 'BOT_STATUS').waitFor();
    expect(await scene.driver.event('invalid', 'state').textContent()).toContain('careless');
    await eventually(async () =>
      expect(await scene.page.locator('[data-metric="invalid"]').getAttribute('data-bad')).toBe('true'),
    );
  });
}
