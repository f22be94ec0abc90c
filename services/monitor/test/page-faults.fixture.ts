// What an operator sees on the page when something breaks, and when it is mended.

import { CHANNELS } from 'tickbus/constants';
import { beforeAll, expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import { ALL_OK, type PageSetup, RECOVERY_TIMEOUT_MS } from './page.fixture.ts';

export function testFaults(scene: PageSetup): void {
  beforeAll(async () => {
    await scene.driver.openTab('Events');
    // They are looked for once they have been silent for long enough.
    scene.stack.kill('bots');
  });

  it('a feed that stalls turns the data lamp and not another, and its prices are struck through', async () => {
    scene.stack.broker.faults.mute();
    await eventually(async () => expect(await scene.driver.indicators()).toEqual({ ...ALL_OK, data: 'bad' }));
    await eventually(
      async () => expect(await scene.driver.price('AAPL').getAttribute('data-look')).toBe('stale'),
      RECOVERY_TIMEOUT_MS,
    );
    expect(await scene.driver.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe(
      'line-through',
    );
    expect(await scene.driver.verdict('AAPL')).toBe('feed down');
    expect((await scene.driver.audit()).faults).toEqual([]);
    scene.stack.broker.faults.recover();
    await scene.allOk();
    await eventually(async () =>
      expect(await scene.driver.price('AAPL').getAttribute('data-look')).toBe('fresh'),
    );
  }, 60_000);

  it('a gateway that is killed turns the broker lamp, and no other turns red; another one is told as a new lease', async () => {
    scene.stack.kill('gateway');
    const seen = new Set<string | null>();
    await eventually(async () => {
      const { redis, broker, data } = await scene.driver.indicators();
      seen.add(redis).add(data);
      expect(broker).toBe('bad');
    });
    expect(seen).not.toContain('bad');
    expect(await scene.page.locator('[data-indicator="broker"]').textContent()).toContain('gateway silent');
    await eventually(async () => expect(await scene.driver.verdict('AAPL')).toBe('gateway down'));
    expect(await scene.page.title()).toContain('Broker link');
    scene.stack.startGateway();
    await scene.allOk();
    expect(await scene.page.locator('tr[data-kind="lease"]').count()).toBe(2);
  }, 60_000);

  it('bots that die turn red and stay', async () => {
    for (const name of ['momentum', 'paper-trader']) {
      await eventually(async () =>
        expect(await scene.driver.bot(name).getAttribute('data-state')).toBe('overdue'),
      );
      await scene.driver.event('bot', `${name} is overdue`).waitFor();
    }
    expect(await scene.driver.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await scene.driver.styleOf('.bots .alert-text', 'color'),
    );
    await scene.publisher.publish(CHANNELS.BOT_STATUS, { bot: 'momentum', state: 'running' });
    await eventually(async () =>
      expect(await scene.driver.bot('momentum').getAttribute('data-state')).toBe('running'),
    );
    expect(await scene.driver.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
    expect((await scene.driver.audit()).faults).toEqual([]);
  });

  it('Redis that dies turns its lamp, and the others say that they cannot see; what it forgot is told as a gap', async () => {
    await scene.stack.redis.kill();
    await eventually(async () =>
      expect(await scene.driver.indicators()).toEqual({ redis: 'bad', broker: 'unknown', data: 'unknown' }),
    );
    await eventually(async () => expect(await scene.driver.verdict('AAPL')).toBe('link down'));
    // What a bot was when it was last heard is not what it is.
    await scene.page.getByText('as last heard').waitFor();
    expect(await scene.driver.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await scene.driver.colour('--muted'),
    );
    expect((await scene.driver.audit()).faults).toEqual([]);
    await scene.stack.redis.start();
    await scene.driver.event('link', 'Connected to Redis again.').waitFor();
    await scene.driver.event('gap', 'PRICE_DATA: begun anew').waitFor();
    await scene.allOk();
    expect(await scene.driver.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
  }, 60_000);

  it('a monitor that is restarted is found again without a reload', async () => {
    await scene.page.evaluate('globalThis.isSamePage = true');
    await scene.stack.stopMonitor();
    await scene.page.getByRole('alert').waitFor();
    expect(await scene.driver.indicators()).toEqual({ redis: 'unknown', broker: 'unknown', data: 'unknown' });
    await scene.stack.startMonitor();
    await scene.page.getByRole('alert').waitFor({ state: 'detached' });
    await scene.allOk();
    expect(await scene.page.evaluate('globalThis.isSamePage')).toBe(true);
  }, 60_000);
}
