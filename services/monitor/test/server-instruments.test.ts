// What the monitor tells of an instrument: its state, the verdict and its reason, candles and the way.

import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Delta, Snapshot } from '../page-protocol.ts';
import { EventStream, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let world: MonitorServer;
beforeAll(async () => {
  world = await MonitorServer.open();
});
afterAll(() => world.close());

it('shows an instrument that the broker does not know, and that it is delivered after all', async () => {
  const about = { symbol: 'NOSUCH', feed: 'test' } as const;
  await world.publisher.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live' });
  const stream = await EventStream.open(`${world.monitor.url}/api/stream`);
  const detail = 'No such symbol.';
  await world.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'unknown', detail });
  const shown = await until(stream, ({ prices }) => prices?.find(({ symbol }) => symbol === 'NOSUCH'));
  expect(shown).toMatchObject({ instrument: 'unknown', detail, look: 'stale' });
  expect(shown).not.toHaveProperty('price');
  expect(JSON.parse((await world.get('/api/instruments/NOSUCH')).body)).toMatchObject({
    candles: [],
    hops: [],
  });

  await world.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'subscribed' });
  const told = await until(stream, ({ events }) => events?.find(({ text }) => text.includes('delivers')));
  expect(told).toMatchObject({ kind: 'instrument', severity: 'info', text: 'test delivers NOSUCH.' });
  stream.close();
  const again = await EventStream.open(`${world.monitor.url}/api/stream`);
  const { events } = JSON.parse((await again.next()).data) as Snapshot;
  const text = 'test does not know NOSUCH. No such symbol.';
  expect(events).toContainEqual(expect.objectContaining({ kind: 'instrument', severity: 'warn', text }));
  again.close();
});

it('judges prices as the library does, and says why', async () => {
  await world.publisher.publish(CHANNELS.FEED_STATUS, {
    feed: 'test',
    state: 'live',
    interval_ms: 60_000,
  });
  await world.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'JUDGED', price: 1, timestamp: Date.now() });
  const stream = await EventStream.open(`${world.monitor.url}/api/stream`);
  const verdict = (wanted: string) =>
    until(stream, ({ prices }) =>
      prices?.find(({ symbol, verdict }) => symbol === 'JUDGED' && verdict === wanted),
    );
  expect(await verdict('fresh')).toMatchObject({ look: 'fresh', changedAt: expect.any(Number) });
  await world.publisher.publish(CHANNELS.FEED_STATUS, {
    feed: 'test',
    state: 'down',
    detail: 'Gone.',
  });
  expect(await verdict('feed_down')).toMatchObject({ look: 'stale' });
  const { reason } = JSON.parse((await world.get('/api/instruments/JUDGED')).body);
  expect(reason).toBe('The feed test is down: Gone.');
  stream.close();
});

it('tells candles and the way of an instrument', async () => {
  const timestamp = Date.now() - 50;
  await world.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 10, timestamp });
  await world.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 12, timestamp });
  const instrument = await eventually(async () => {
    const { status, body } = await world.get('/api/instruments/WAY');
    expect(status).toBe(200);
    const found = JSON.parse(body);
    expect(found.candles.at(-1)).toMatchObject({ close: 12 });
    return found;
  });
  expect(instrument.hops.map(({ name }: { name: string }) => name)).toEqual([
    'broker to gateway',
    'gateway to Redis',
    'Redis to here',
  ]);
  expect(instrument.hops[0].last).toBeGreaterThanOrEqual(50);
  expect((await world.get('/api/instruments/NEVER')).status).toBe(404);
});

/** Reads on until a frame has what is looked for. */
async function until<T>(stream: EventStream, look: (frame: Delta) => T | undefined): Promise<T> {
  for (;;) {
    const found = look(JSON.parse((await stream.next()).data) as Delta);
    if (found !== undefined) return found;
  }
}
