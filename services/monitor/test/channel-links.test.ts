// On a cluster: the links of some channels are down, and the others go on.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger } from '@tickbus/test-kit';
import { type SubscriberStatus, TickbusError } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { describe, expect, it } from 'vitest';
import { BusObserver } from '../bus-observer.ts';
import { Dashboard } from './dashboard-state.fixture.ts';
import { eventually } from './monitor.fixture.ts';

const { PRICE_DATA, FEED_STATUS, BOT_STATUS, TRADE_COMMANDS } = CHANNELS;
const error = new TickbusError('TICKBUS_NOT_CONNECTED', 'The link to Redis at redis://h:1 was lost.');

/** A dashboard that has everything, and reports of its links. */
function dashboard() {
  const shown = new Dashboard();
  const report = (status: SubscriberStatus) => shown.state.onStatus(status, shown.now);
  report({ type: 'connected', generation: 1 });
  shown.heldLease = 1;
  const beat = () => {
    shown.feed({ lease: 1, holder: 'desk-1', instruments: 1 });
    shown.price('A');
  };
  beat();
  shown.second();
  const lamps = () => {
    const { redis, broker, data } = shown.state.snapshot().lamps;
    return [redis.state, broker.state, data.state];
  };
  const events = () => shown.state.snapshot().events.filter(({ kind }) => kind === 'link');
  return { shown, report, beat, lamps, events };
}

describe('the link of', () => {
  it('PRICE_DATA alone turns the Redis indicator, which names it, and hides the data; the broker is still known', () => {
    const { shown, report, beat, lamps, events } = dashboard();
    expect(lamps()).toEqual(['ok', 'ok', 'ok']);
    report({ type: 'disconnected', error, channel: PRICE_DATA.name });
    report({ type: 'reconnecting', attempt: 1, channel: PRICE_DATA.name });
    for (let second = 0; second < 20; second++) {
      shown.feed({ lease: 1, holder: 'desk-1', instruments: 1 });
      shown.second();
    }
    expect(lamps()).toEqual(['bad', 'ok', 'unknown']);
    expect(shown.state.snapshot().lamps.redis).toMatchObject({
      text: 'partly down',
      detail: 'No link to the node of PRICE_DATA.',
    });
    expect(events().at(-1)).toMatchObject({
      severity: 'bad',
      text: 'PRICE_DATA: The link to Redis at redis://h:1 was lost.',
    });
    report({ type: 'connected', generation: 2, channel: PRICE_DATA.name });
    beat();
    shown.second();
    expect(lamps()).toEqual(['ok', 'ok', 'ok']);
    expect(events().at(-1)).toMatchObject({ severity: 'info', text: 'PRICE_DATA: reconnected to its node.' });
  });

  it('FEED_STATUS alone hides the broker, instead of reporting a silent gateway', () => {
    const { shown, report, lamps } = dashboard();
    report({ type: 'stale', silentForMs: 3_000, channel: FEED_STATUS.name });
    for (let second = 0; second < 20; second++) {
      shown.price('A');
      shown.second();
    }
    expect(lamps().slice(0, 2)).toEqual(['bad', 'unknown']);
    report({ type: 'connected', generation: 2, channel: FEED_STATUS.name });
    shown.price('A');
    shown.second();
    // Missed heartbeats are no proof: the next one decides.
    expect(shown.state.snapshot().lamps.broker).toMatchObject({ state: 'unknown', text: 'waiting' });
    shown.feed({ lease: 1, holder: 'desk-1', instruments: 1 });
    shown.second();
    expect(lamps()[1]).toBe('ok');
  });

  it('BOT_STATUS alone marks no bot overdue until it is back for as long as a bot may be silent', () => {
    const { shown, report } = dashboard();
    const state = () => shown.state.snapshot().bots.map(({ overdue }) => overdue);
    shown.bot('b1', { status_interval_ms: 1_000 });
    shown.second();
    report({ type: 'disconnected', error, channel: BOT_STATUS.name });
    for (let second = 0; second < 20; second++) shown.second();
    expect(state()).toEqual([false]);
    report({ type: 'connected', generation: 2, channel: BOT_STATUS.name });
    shown.second();
    expect(state()).toEqual([false]);
    for (let second = 0; second < 20; second++) shown.second();
    expect(state()).toEqual([true]);
  });

  it('TRADE_COMMANDS alone changes only the Redis indicator', () => {
    const { shown, report, beat, lamps } = dashboard();
    report({ type: 'disconnected', error, channel: TRADE_COMMANDS.name });
    beat();
    shown.second();
    expect(lamps()).toEqual(['bad', 'ok', 'ok']);
  });
});

it('a node of a real cluster that is killed is reported by its channels, and the others go on', async () => {
  await using cluster = await LocalCluster.start({ args: ['--cluster-require-full-coverage', 'no'] });
  await using connection = new RedisConnection({ url: cluster.url, logger: silentLogger });
  const about = { redis: 'here', canSend: false, commands: [], maxAgeMs: 5_000, version: '0' };
  const observer = new BusObserver({ connection, about, logger: silentLogger });
  observer.start();
  const poller = observer.createServerPoller({ url: cluster.url });
  poller.start();
  const names = Object.values(CHANNELS).map(({ name }) => name);
  const owners = await Promise.all(names.map((name) => cluster.ownerOf(name)));
  const owner = await cluster.ownerOf(PRICE_DATA.name);
  const affected = names.filter((_, index) => owners[index] === owner).sort();
  expect(affected.length).toBeLessThan(names.length);
  const snapshot = () => {
    observer.state.updateRates(1);
    observer.state.update(Date.now());
    return observer.state.snapshot();
  };
  const subscribers = () =>
    snapshot()
      .channels.filter((row) => (row.subscribers ?? 0) > 0)
      .map(({ name }) => name)
      .sort();
  await eventually(() => expect(subscribers()).toEqual([...names].sort()));
  await owner.server.kill();
  await eventually(() =>
    expect(snapshot().lamps.redis).toMatchObject({
      state: 'bad',
      detail: `No link to the node of ${affected.join(', ')}.`,
    }),
  );
  await eventually(() =>
    expect(subscribers()).toEqual(names.filter((name) => !affected.includes(name)).sort()),
  );
  const links = snapshot().events.filter(({ kind, severity }) => kind === 'link' && severity === 'bad');
  expect([...new Set(links.map(({ text }) => text.split(':')[0]))].sort()).toEqual(affected);
  await owner.server.start();
  await eventually(() => expect(snapshot().lamps.redis.state).toBe('ok'), 20_000);
  await poller.close();
  await observer.close();
}, 60_000);
