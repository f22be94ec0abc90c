// The sentence at the top of the page, and the user's own channels and types of commands.

import { fileURLToPath } from 'node:url';
import { startLocalRedis } from '@tickbus/local-redis';
import { loadOwnChannels } from '@tickbus/operator-kit/own-channels';
import { silentLogger } from '@tickbus/test-kit';
import { defineChannel, TickbusError } from 'tickbus';
import { defineBot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { startMonitor } from '../monitor-service.ts';
import type { Snapshot } from '../page-protocol.ts';
import { Dashboard } from './dashboard-state.fixture.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { postCommand, TOKEN } from './monitor-server.fixture.ts';

const error = new TickbusError('TICKBUS_NOT_CONNECTED', 'The link is down.');

function connected(): Dashboard {
  const shown = new Dashboard();
  shown.state.onStatus({ type: 'connected', generation: 1 }, shown.now);
  return shown;
}

const sentence = (shown: Dashboard) => {
  shown.second();
  return shown.state.snapshot().status;
};

it('follows the bus, once a second, and sends only changes', () => {
  const shown = connected();
  expect(sentence(shown)).toEqual({
    state: 'unknown',
    sentence: 'Cannot tell: no gateway and no bot has reported on this Redis.',
  });
  shown.feed({ interval_ms: 600_000 });
  shown.bot('momentum', { status_interval_ms: 5_000 });
  const well = { state: 'well', sentence: 'All is well: test is live, and 1 bot reports.' };
  expect(sentence(shown)).toEqual(well);
  expect(shown.state.takeDelta().status).toEqual(well);
  sentence(shown);
  expect(shown.state.takeDelta().status).toBeUndefined();
  shown.now += 60_000;
  expect(sentence(shown).sentence).toMatch(
    /^The bot momentum is gone or hangs: it has not reported for 6\d s\.$/,
  );
});

it('knows programs that are there, and forgets those that left', () => {
  const shown = connected();
  shown.bot('other', { status_interval_ms: 600_000 });
  const program = {
    name: 'momentum',
    instance: 'i',
    since: 0,
    publishes: [],
    host: 'h',
    pid: 1,
    revision: 1,
  };
  const present = { ...program, subscribes: ['PRICE_DATA'] };
  shown.record(CHANNELS.PRESENCE, { ...present, state: 'joined' });
  expect(sentence(shown).sentence).toBe('No gateway feeds PRICE_DATA, which momentum reads.');
  shown.record(CHANNELS.PRESENCE, { ...present, state: 'gone' });
  expect(sentence(shown).state).toBe('well');
});

it('does not take a successor for the instance that has stopped reporting', () => {
  const shown = connected();
  shown.bot('momentum', { status_interval_ms: 5_000, instance: 'first' });
  const join = (instance: string) =>
    shown.record(CHANNELS.PRESENCE, {
      ...{ name: 'momentum', instance, state: 'joined', since: 0, host: 'h', pid: 1, revision: 1 },
      ...{ subscribes: [], publishes: [] },
    });
  join('second');
  shown.now += 60_000;
  expect(sentence(shown).sentence).toMatch(
    /^The bot momentum is gone or hangs: .*, and another program of its name is there, but has not reported\.$/,
  );
  join('first');
  expect(sentence(shown).sentence).toMatch(
    /^The bot momentum is connected, but has not reported for 6\d s\.$/,
  );
});

it('calls a bot gone when PRESENCE does, before its status is late, and warns of a second copy', () => {
  const shown = connected();
  const status = { bot: 'momentum', state: 'running', status_interval_ms: 600_000, instance: 'first' };
  shown.record(CHANNELS.BOT_STATUS, status, { seq: 1 });
  const record = (instance: string, state: 'joined' | 'gone', pid = 1) =>
    shown.record(CHANNELS.PRESENCE, {
      ...{ name: 'momentum', instance, state, since: 0, host: 'h', pid, revision: 1 },
      ...{ subscribes: [], publishes: ['BOT_STATUS'] },
    });
  // A status can arrive before PRESENCE has its program.
  expect(sentence(shown).sentence).toBe('All is well: 1 bot reports.');
  record('first', 'joined');
  record('first', 'gone');
  expect(sentence(shown).sentence).toBe('The bot momentum is gone: it crashed, hangs or lost its link.');
  record('first', 'joined');
  expect(sentence(shown).state).toBe('well');
  record('copy', 'joined', 2);
  expect(sentence(shown).sentence).toBe(
    '2 programs are named momentum, and each obeys its commands and trades.',
  );
  const copies = () => shown.state.snapshot().bots.map((row) => row.copies);
  expect(copies()).toEqual([2]);
  shown.record(CHANNELS.BOT_STATUS, status, { seq: 2 });
  expect(copies()).toEqual([2]);
  record('copy', 'gone', 2);
  sentence(shown);
  expect(copies()).toEqual([undefined]);
});

it('calls a bot gone that crashed before the monitor started', () => {
  const shown = connected();
  const status = { bot: 'momentum', state: 'running', status_interval_ms: 600_000 };
  shown.record(CHANNELS.BOT_STATUS, { ...status, instance: 'crashed' }, { seq: 1 });
  shown.record(CHANNELS.BOT_STATUS, { ...status, bot: 'unnamed' }, { seq: 2 });
  expect(sentence(shown).sentence).toBe('All is well: 2 bots report.');
  shown.now += 3_100;
  expect(sentence(shown).state).toBe('well');
  const join = (name: string, instance: string) =>
    shown.record(CHANNELS.PRESENCE, {
      ...{ name, instance, state: 'joined', since: 0, host: 'h', pid: 1, revision: 1 },
      ...{ subscribes: [], publishes: ['BOT_STATUS'] },
    });
  join('monitor', 'own');
  // The values of other programs may follow.
  expect(sentence(shown).state).toBe('well');
  shown.now += 3_100;
  expect(sentence(shown).sentence).toBe('The bot momentum is gone: it crashed, hangs or lost its link.');
  join('momentum', 'crashed');
  expect(sentence(shown).state).toBe('well');
});

it('forgets programs whose end it may have missed, so that a successor is no second copy', () => {
  const shown = connected();
  const join = (name: string, instance: string, pid: number) =>
    shown.record(CHANNELS.PRESENCE, {
      ...{ name, instance, state: 'joined', since: 0, host: 'h', pid, revision: 1 },
      ...{ subscribes: [], publishes: ['BOT_STATUS'] },
    });
  const status = { status_interval_ms: 600_000, instance: 'second' };
  shown.record(CHANNELS.BOT_STATUS, { bot: 'momentum', state: 'running', ...status }, { seq: 1 });
  join('monitor', 'own', 1);
  join('momentum', 'first', 2);
  shown.now += 60_000;
  const before = shown.state.programs;
  join('monitor', 'own', 1);
  shown.state.forgetPrograms(before, shown.now);
  expect(shown.state.programs.map(({ instance }) => instance)).toEqual(['own']);
  // After the same gap, the successor may be reported later.
  expect(sentence(shown).sentence).toBe('All is well: 1 bot reports.');
  join('momentum', 'second', 3);
  shown.now += 60_000;
  expect(sentence(shown).sentence).toBe('All is well: 1 bot reports.');
});

it('names instruments until their feed delivers them', () => {
  const shown = connected();
  shown.feed({ interval_ms: 600_000 });
  const status = { symbol: 'APPL', feed: 'test' };
  shown.record(CHANNELS.INSTRUMENT_STATUS, { ...status, state: 'unknown' });
  expect(sentence(shown).sentence).toBe('The feed test does not know APPL.');
  shown.record(CHANNELS.INSTRUMENT_STATUS, { ...status, state: 'subscribed' });
  expect(sentence(shown).state).toBe('well');
});

it('without Redis nothing else is known; a part of a cluster hides nothing', () => {
  const shown = connected();
  shown.feed({ interval_ms: 600_000 });
  shown.bot('momentum', { state: 'error' });
  shown.state.onStatus({ type: 'disconnected', channel: 'AUDIT', error }, shown.now);
  expect(sentence(shown).sentence).toBe(
    '2 things are wrong: the Redis server is not fit: No link to the node of AUDIT; the bot momentum reports an error.',
  );
  shown.state.onStatus({ type: 'disconnected', error }, shown.now);
  expect(sentence(shown).sentence).toBe('Redis cannot be used, so nothing else is known: The link is down.');
});

it('names a channel that another program defines differently, as `tickbus status` does', async () => {
  await using redis = await startLocalRedis();
  const { url } = redis;
  const { messages } = CHANNELS.BOT_STATUS;
  const wrong = defineChannel('BOT_STATUS', { kind: 'event', key: 'bot', messages });
  await using publisher = new RedisPublisher({ url, sender: 'old-bot', logger: silentLogger });
  await publisher.publish(wrong, { bot: 'b', state: 'running' });
  const monitor = await startMonitor({ url, port: 0, logger: silentLogger });
  await eventually(async () => {
    const stream = await EventStreamReader.open(`${monitor.url}/api/stream`);
    const { status } = JSON.parse((await stream.next()).data) as Snapshot;
    stream.close();
    expect(status.sentence).toMatch(
      /the channel BOT_STATUS is defined with another kind: as "kind=state key=bot" by this program, and as "kind=event key=bot" by old-bot[.;]/i,
    );
  });
  await monitor.close();
});

it('shows own channels, and sends own types of commands', async () => {
  const fixture = new URL('../../../shared_library/operator-kit/test/channels.fixture.mjs', import.meta.url);
  const channels = await loadOwnChannels(fileURLToPath(fixture));
  await using redis = await startLocalRedis();
  const { url } = redis;
  const monitor = await startMonitor({ url, port: 0, token: TOKEN, channels, logger: silentLogger });
  const bot = defineBot({ name: 'momentum', url, logger: silentLogger }).onCommand(
    'set_size',
    z.object({ size: z.number() }),
    () => ({ outcome: 'done' }),
  );
  await bot.start();
  const send = (size: unknown) =>
    postCommand(monitor.url, { type: 'set_size', data: { bot: 'momentum', size } }, TOKEN);
  await eventually(async () => expect((await send(3)).status).toBe(200));
  expect((await send('big')).status).toBe(400);
  await eventually(async () => {
    const stream = await EventStreamReader.open(`${monitor.url}/api/stream`);
    const snapshot = JSON.parse((await stream.next()).data) as Snapshot;
    stream.close();
    expect(snapshot.channels.map(({ name }) => name)).toContain('FILLS');
    expect(snapshot.commands.at(-1)).toMatchObject({ type: 'set_size', state: 'done' });
    expect(snapshot.events.filter(({ kind }) => kind === 'invalid')).toEqual([]);
  });
  await bot.stop();
  await monitor.close();
});
