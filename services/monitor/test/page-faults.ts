// What an operator sees on the page when something breaks, and when it is mended.

import { CHANNELS } from 'tickbus/constants';
import { beforeAll, expect, it } from 'vitest';
import { eventually } from './monitor.fixture.ts';
import { GOOD, PATIENCE_MS, type Scene } from './page-scene.ts';

export function testFaults(scene: Scene): void {
  beforeAll(async () => {
    await scene.operator.tab('Events');
    // They are looked for once they have been silent for long enough.
    scene.desk.kill('bots');
  });

  it('a feed that stalls turns the data lamp and not another, and its prices are struck through', async () => {
    scene.desk.broker.faults.mute();
    await eventually(async () => expect(await scene.operator.lamps()).toEqual({ ...GOOD, data: 'bad' }));
    await eventually(
      async () => expect(await scene.operator.price('AAPL').getAttribute('data-look')).toBe('stale'),
      PATIENCE_MS,
    );
    expect(await scene.operator.styleOf('tr[data-symbol=AAPL] .col-last', 'textDecorationLine')).toBe(
      'line-through',
    );
    expect(await scene.operator.verdict('AAPL')).toBe('feed down');
    expect((await scene.operator.examine()).faults).toEqual([]);
    scene.desk.broker.faults.recover();
    await scene.allGood();
    await eventually(async () =>
      expect(await scene.operator.price('AAPL').getAttribute('data-look')).toBe('fresh'),
    );
  }, 60_000);

  it('a gateway that is killed turns the broker lamp, and no other turns red; another one is told as a new lease', async () => {
    scene.desk.kill('gateway');
    const seen = new Set<string | null>();
    await eventually(async () => {
      const { redis, broker, data } = await scene.operator.lamps();
      seen.add(redis).add(data);
      expect(broker).toBe('bad');
    });
    expect(seen).not.toContain('bad');
    expect(await scene.page.locator('[data-lamp="broker"]').textContent()).toContain('gateway silent');
    await eventually(async () => expect(await scene.operator.verdict('AAPL')).toBe('gateway down'));
    expect(await scene.page.title()).toContain('Broker link');
    scene.desk.startGateway();
    await scene.allGood();
    expect(await scene.page.locator('tr[data-kind="lease"]').count()).toBe(2);
  }, 60_000);

  it('bots that die turn red and stay', async () => {
    for (const name of ['momentum', 'paper-trader']) {
      await eventually(async () =>
        expect(await scene.operator.bot(name).getAttribute('data-state')).toBe('overdue'),
      );
      await scene.operator.event('bot', `${name} is overdue`).waitFor();
    }
    expect(await scene.operator.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await scene.operator.styleOf('.bots .bad-text', 'color'),
    );
    await scene.publisher.publish(CHANNELS.BOT_STATUS, { bot: 'momentum', state: 'running' });
    await eventually(async () =>
      expect(await scene.operator.bot('momentum').getAttribute('data-state')).toBe('running'),
    );
    expect(await scene.operator.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
    expect((await scene.operator.examine()).faults).toEqual([]);
  });

  it('Redis that dies turns its lamp, and the others say that they cannot see; what it forgot is told as a gap', async () => {
    await scene.desk.redis.kill();
    await eventually(async () =>
      expect(await scene.operator.lamps()).toEqual({ redis: 'bad', broker: 'unknown', data: 'unknown' }),
    );
    await eventually(async () => expect(await scene.operator.verdict('AAPL')).toBe('link down'));
    // What a bot was when it was last heard is not what it is.
    await scene.page.getByText('as last heard').waitFor();
    expect(await scene.operator.styleOf('tr[data-bot=momentum] .bot-state', 'color')).toBe(
      await scene.operator.colour('--muted'),
    );
    expect((await scene.operator.examine()).faults).toEqual([]);
    await scene.desk.redis.start();
    await scene.operator.event('link', 'Connected to Redis again.').waitFor();
    await scene.operator.event('gap', 'PRICE_DATA: begun anew').waitFor();
    await scene.allGood();
    expect(await scene.operator.bot('paper-trader').getAttribute('data-state')).toBe('overdue');
  }, 60_000);

  it('a monitor that is restarted is found again without a reload', async () => {
    await scene.page.evaluate('globalThis.isSamePage = true');
    await scene.desk.stopMonitor();
    await scene.page.getByRole('alert').waitFor();
    expect(await scene.operator.lamps()).toEqual({ redis: 'unknown', broker: 'unknown', data: 'unknown' });
    await scene.desk.startMonitor();
    await scene.page.getByRole('alert').waitFor({ state: 'detached' });
    await scene.allGood();
    expect(await scene.page.evaluate('globalThis.isSamePage')).toBe(true);
  }, 60_000);
}
