// Page tests of failures and recovery.

import { CHANNELS } from 'tickbus/constants';
import { beforeAll, expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import { ALL_OK, type PageSetup, RECOVERY_TIMEOUT_MS } from './page.fixture.ts';

export function testFaults(setup: PageSetup): void {
  beforeAll(async () => {
    await setup.driver.openTab('Events');
    // The bots are killed early, so that they are overdue when their test runs.
    setup.stack.kill('bots');
  });

  it('a stalled feed turns the data indicator only, and strikes its prices through', async () => {
    setup.stack.broker.faults.mute();
    await eventually(async () => expect(await setup.driver.indicators()).toEqual({ ...ALL_OK, data: 'bad' }));
    await eventually(
      async () => expect(await setup.driver.price('AAPL').getAttribute('data-look')).toBe('stale'),
      RECOVERY_TIMEOUT_MS,
    );
    expect(await setup.driver.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe(
      'line-through',
    );
    expect(await setup.driver.verdict('AAPL')).toBe('feed down');
    expect((await setup.driver.audit()).violations).toEqual([]);
    setup.stack.broker.faults.recover();
    await setup.allOk();
    await eventually(async () =>
      expect(await setup.driver.price('AAPL').getAttribute('data-look')).toBe('fresh'),
    );
  }, 60_000);

  it('a killed gateway turns the broker indicator only; its successor is reported as a new lease', async () => {
    setup.stack.kill('gateway');
    const seen = new Set<string | null>();
    await eventually(async () => {
      const { redis, broker, data } = await setup.driver.indicators();
      seen.add(redis).add(data);
      expect(broker).toBe('bad');
    });
    expect(seen).not.toContain('bad');
    expect(await setup.page.locator('[data-indicator="broker"]').textContent()).toContain('gateway silent');
    await eventually(async () => expect(await setup.driver.verdict('AAPL')).toBe('gateway down'));
    expect(await setup.page.title()).toContain('Broker link');
    setup.stack.startGateway();
    await setup.allOk();
    expect(await setup.page.locator('tr[data-kind="lease"]').count()).toBe(2);
  }, 60_000);

  it('dead bots turn red and stay listed', async () => {
    for (const name of ['momentum', 'paper-trader']) {
      await eventually(async () =>
        expect(await setup.driver.bot(name).getAttribute('data-state')).toBe('overdue'),
      );
      await setup.driver.event('bot', `${name} is overdue`).waitFor();
    }
    expect(await setup.driver.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await setup.driver.styleOf('.bots .alert-text', 'color'),
    );
    await setup.publisher.publish(CHANNELS.BOT_STATUS, { bot: 'momentum', state: 'running' });
    await eventually(async () =>
      expect(await setup.driver.bot('momentum').getAttribute('data-state')).toBe('running'),
    );
    expect(await setup.driver.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
    expect((await setup.driver.audit()).violations).toEqual([]);
  });

  it('a dead Redis turns its indicator, the others become unknown; lost data is reported as a gap', async () => {
    await setup.stack.redis.kill();
    await eventually(async () =>
      expect(await setup.driver.indicators()).toEqual({ redis: 'bad', broker: 'unknown', data: 'unknown' }),
    );
    await eventually(async () => expect(await setup.driver.verdict('AAPL')).toBe('link down'));
    await setup.page
      .locator('.status-line[data-state="wrong"]', { hasText: /^Redis cannot be used/ })
      .waitFor();
    // The last known state of a bot is grey: it may have changed.
    await setup.page.getByText('last known state').waitFor();
    expect(await setup.driver.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await setup.driver.colour('--muted'),
    );
    expect((await setup.driver.audit()).violations).toEqual([]);
    await setup.stack.redis.start();
    await setup.driver.event('link', 'Reconnected to Redis.').waitFor();
    await setup.driver.event('gap', 'PRICE_DATA: new epoch').waitFor();
    await setup.allOk();
    expect(await setup.driver.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
  }, 60_000);

  it('the page reconnects to a restarted monitor without a reload', async () => {
    await setup.page.evaluate('globalThis.isSamePage = true');
    await setup.stack.stopMonitor();
    await setup.page.getByRole('alert').waitFor();
    expect(await setup.driver.indicators()).toEqual({ redis: 'unknown', broker: 'unknown', data: 'unknown' });
    await setup.stack.startMonitor();
    await setup.page.getByRole('alert').waitFor({ state: 'detached' });
    await setup.allOk();
    expect(await setup.page.evaluate('globalThis.isSamePage')).toBe(true);
  }, 60_000);
}
