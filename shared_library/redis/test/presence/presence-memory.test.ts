// Presence on an in-memory server with a manual clock: what is reported, and how soon.

import { errorOf, eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { presenceList } from '../../presence.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';
import type { ChannelLinkStatus } from '../../transport/link-status.ts';
import { NOTES, worlds } from './presence.fixture.ts';

const newWorld = worlds();
/** What the documentation promises. */
const WITHIN_MS = 3_000;

it('reports joined with its channels, and left at an orderly end', async () => {
  const world = newWorld();
  await world.observe();
  const { subscriber } = await world.program('momentum');
  await eventLoopTurns();
  expect(world.reports.items).toMatchObject([
    {
      name: 'momentum',
      state: 'joined',
      since: world.clock.now(),
      subscribes: ['NOTES'],
      publishes: [],
      pid: process.pid,
    },
  ]);
  await subscriber.close();
  expect(world.statesOf('momentum')).toEqual(['joined', 'left']);
  await world.clock.advance(10_000);
  expect(world.statesOf('momentum')).toEqual(['joined', 'left']);
  expect(await presenceList(world.connection())).toEqual([]);
});

it('shows a late joiner who is there, and no one who has left', async () => {
  const world = newWorld();
  await world.program('stays');
  const { subscriber } = await world.program('leaves');
  await subscriber.close();
  await world.observe();
  await eventLoopTurns();
  expect(world.reports.items.map(({ name, state }) => `${name} ${state}`)).toEqual(['stays joined']);
});

it('treats the subscribers and publishers of one connection with one name as one participant', async () => {
  const world = newWorld();
  await world.observe();
  const { connection, subscriber } = await world.program('momentum');
  const publisher = world.publisher(connection, 'momentum');
  await publisher.publish(NOTES, { text: 'a' });
  const stop = subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
  await world.clock.advance(100);
  const instance = world.reports.items[0]?.instance;
  expect(world.reports.items.at(-1)).toMatchObject({
    instance,
    revision: 2,
    publishes: ['NOTES'],
    subscribes: ['NOTES', 'PRICE_DATA'],
  });
  stop();
  await world.clock.advance(100);
  expect(world.reports.items.at(-1)).toMatchObject({ instance, revision: 3, subscribes: ['NOTES'] });
  await subscriber.close();
  await world.clock.advance(100);
  expect(world.reports.items.at(-1)).toMatchObject({
    instance,
    revision: 4,
    state: 'joined',
    subscribes: [],
  });
  expect(await presenceList(connection)).toMatchObject([{ instance, publishes: ['NOTES'], subscribes: [] }]);
  await publisher.close();
  expect(world.statesOf('momentum').at(-1)).toBe('left');
});

it('uses the name as the sender, and reports nothing without a name', async () => {
  const world = newWorld();
  await world.observe();
  const { connection, subscriber } = await world.program('momentum');
  const senders: string[] = [];
  subscriber.subscribe(NOTES, ({ sender }) => senders.push(sender));
  await world.publisher(connection, 'momentum').publish(NOTES, { text: 'a' });
  await world.publisher(world.connection()).publish(NOTES, { text: 'b' });
  await eventLoopTurns();
  expect(senders).toEqual(['momentum', expect.stringContaining(String(process.pid))]);
  expect(new Set(world.reports.items.map(({ name }) => name))).toEqual(new Set(['momentum']));
});

it('reports gone within 3 s after a link is cut, and joined when it is back', async () => {
  const world = newWorld();
  await world.observe();
  await world.program('witness');
  await world.clock.advance(5_000);
  const { connection } = await world.program('momentum');
  connection.disconnect();
  await world.clock.advance(WITHIN_MS);
  expect(world.statesOf('momentum')).toEqual(['joined', 'gone']);
  expect((await presenceList(world.connection())).map(({ name }) => name)).toEqual(['witness']);
  connection.reconnect();
  await eventLoopTurns();
  expect(world.statesOf('momentum')).toEqual(['joined', 'gone', 'joined']);
  await world.clock.advance(10_000);
  expect(world.statesOf('momentum')).toEqual(['joined', 'gone', 'joined']);
  expect(world.statesOf('witness')).toEqual(['joined']);
});

it('reports gone within 3 s while the links of other channels of a cluster come and go', async () => {
  const world = newWorld();
  await world.observe();
  const listeners: ((status: ChannelLinkStatus) => void)[] = [];
  const keeper = world.connection();
  const onStatus = keeper.publishing.onStatus.bind(keeper.publishing);
  keeper.publishing.onStatus = (listener) => {
    listeners.push(listener);
    return onStatus(listener);
  };
  await world.program('keeper', { connection: keeper });
  await world.clock.advance(5_000);
  const { connection } = await world.program('momentum');
  connection.disconnect();
  for (let passed = 0; passed < WITHIN_MS; passed += 500) {
    for (const listener of listeners) listener({ type: 'connected', generation: 2, channel: 'PRICE_DATA' });
    await world.clock.advance(500);
  }
  expect(world.statesOf('momentum')).toEqual(['joined', 'gone']);
  expect(world.statesOf('keeper')).toEqual(['joined']);
});

it('reports gone within 3 s if the keeper itself is cut off', async () => {
  const world = newWorld();
  await world.observe();
  const { connection } = await world.program('keeper');
  await world.clock.advance(5_000);
  await world.program('witness');
  connection.disconnect();
  await world.clock.advance(WITHIN_MS);
  expect(world.statesOf('keeper')).toEqual(['joined', 'gone']);
});

it('does not report gone for a link that was down for a moment', async () => {
  const world = newWorld();
  await world.observe();
  await world.program('witness');
  const { connection } = await world.program('momentum');
  await world.clock.advance(5_000);
  connection.disconnect();
  await world.clock.advance(1_000);
  connection.reconnect();
  await world.clock.advance(5_000);
  expect(world.statesOf('momentum')).not.toContain('gone');
});

it('is right again within 3 s after the server has lost its memory', async () => {
  const world = newWorld();
  const names = Array.from({ length: 50 }, (_, index) => `bot-${index}`);
  const programs = await Promise.all(names.map((name) => world.program(name)));
  await world.clock.advance(5_000);
  for (const { connection } of programs) connection.disconnect();
  world.server.flush();
  for (const { connection } of programs) connection.reconnect();
  await world.clock.advance(WITHIN_MS);
  await world.observe();
  await eventLoopTurns();
  expect(world.reports.items.map(({ name, state }) => `${name} ${state}`).sort()).toEqual(
    names.map((name) => `${name} joined`).sort(),
  );
  await world.clock.advance(5_000);
  expect(world.reports.items.filter(({ state }) => state === 'gone')).toEqual([]);
});

it('reports only the one that is gone after an outage of a server that has kept its memory', async () => {
  const world = newWorld();
  await world.observe();
  const names = Array.from({ length: 10 }, (_, index) => `bot-${index}`);
  const programs = await Promise.all(names.map((name) => world.program(name)));
  await world.clock.advance(5_000);
  for (const { connection } of programs) connection.disconnect();
  // All records expire, and the lease of the keeper.
  await world.clock.advance(10_000);
  for (const { connection } of programs.slice(0, -1)) {
    connection.reconnect();
    await world.clock.advance(100);
  }
  await world.clock.advance(WITHIN_MS - 900);
  for (const name of names.slice(0, -1)) expect(world.statesOf(name)).not.toContain('gone');
  expect(world.statesOf('bot-9')).toEqual(['joined', 'gone']);
});

it('restores a last value that another program has removed', async () => {
  const world = newWorld();
  await world.observe();
  await world.program('momentum');
  await world.clock.advance(5_000);
  const [present] = world.reports.items;
  if (present === undefined) throw new Error('Nobody has joined.');
  await world
    .publisher(world.connection())
    .publish(CHANNELS.PRESENCE, { ...present, state: 'gone' }, { endsKey: true });
  await world.clock.advance(WITHIN_MS);
  expect(world.statesOf('momentum')).toEqual(['joined', 'gone', 'joined']);
});

it('tells programs of one name apart', async () => {
  const world = newWorld();
  await world.program('momentum');
  await world.program('momentum');
  const list = await presenceList(world.connection());
  expect(list.map(({ name }) => name)).toEqual(['momentum', 'momentum']);
  expect(new Set(list.map(({ instance }) => instance)).size).toBe(2);
});

it('works within a namespace only', async () => {
  const world = newWorld();
  await world.program('momentum');
  const paper = new MemoryConnection({ server: world.server, namespace: 'paper' });
  expect(await presenceList(paper)).toEqual([]);
});

it.each([
  ['', /invalid/],
  ['a\nb', /a\\u000ab/],
  ['x'.repeat(129), /1 to 128 characters/],
])('rejects the name %j', (name, text) => {
  const connection = newWorld().connection();
  const create = () => new RedisSubscriber({ connection, name });
  expect(create).toThrow(text);
  expect(create).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', field: 'name' }));
  expect(() => new RedisPublisher({ connection, name })).toThrow(text);
});

it('rejects uniqueName without a name', async () => {
  const connection = newWorld().connection();
  const error = await errorOf(() => new RedisSubscriber({ connection, uniqueName: true }));
  expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'uniqueName' });
});

it('never fails a program that may not report its presence, and logs that once', async () => {
  const world = newWorld();
  const connection = world.connection();
  const denied = async () => {
    throw new TickbusError('TICKBUS_DENIED', 'Not permitted: zadd.');
  };
  const { publishing } = connection;
  const demand = publishing.demand.bind(publishing);
  publishing.demand = (channel) => ({
    ...demand(channel),
    declare: denied,
    withdraw: denied,
    wanted: denied,
  });
  const publish = publishing.publish.bind(publishing);
  publishing.publish = (channel, ...others) =>
    channel.name === 'PRESENCE' ? denied() : publish(channel, ...others);
  const logger = new RecordingLogger();
  const { subscriber } = await world.program('momentum', { connection, logger });
  await world.clock.advance(60_000);
  const warnings = logger.lines.filter(({ level }) => level === 'warn' || level === 'error');
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringContaining('Presence cannot be reported'),
  ]);
  const received: string[] = [];
  subscriber.subscribe(NOTES, ({ data }) => received.push(data.text));
  await world.publisher(connection, 'momentum').publish(NOTES, { text: 'a' });
  await eventLoopTurns();
  expect(received).toEqual(['a']);
  // It has given up the lease, so another participant does the job.
  await world.observe();
  const other = await world.program('other');
  await world.clock.advance(2_000);
  const third = await world.program('third');
  third.connection.disconnect();
  await world.clock.advance(WITHIN_MS);
  expect(world.statesOf('third')).toEqual(['joined', 'gone']);
  await other.subscriber.close();
});
