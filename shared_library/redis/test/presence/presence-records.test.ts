// The records of participants: several of one, those of other programs, and what the keeper makes of them.

import { errorOf, eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { defineChannel } from '../../channel/channel.ts';
import type { Presence } from '../../channel/schemas/presence.ts';
import { CHANNELS } from '../../constants.ts';
import { TickbusError } from '../../errors.ts';
import { differences } from '../../presence/presence-keeper.ts';
import {
  listed,
  MAX_PARTICIPANTS,
  type PresenceRecord,
  readRecords,
} from '../../presence/presence-record.ts';
import { presenceList } from '../../presence.ts';
import type { MemoryConnection } from '../../testing.ts';
import { worlds } from './presence.fixture.ts';

const newWorld = worlds();

const record = (changes: Partial<PresenceRecord> = {}): PresenceRecord => ({
  name: 'momentum',
  instance: '1',
  state: 'joined',
  since: 1,
  subscribes: [],
  publishes: [],
  host: 'h',
  pid: 1,
  revision: 1,
  ...changes,
});
const value = (changes: Partial<Presence> = {}): Presence => ({ ...record(), state: 'joined', ...changes });

async function recordsAfter(...entries: readonly (PresenceRecord | string)[]) {
  const connection = newWorld().connection();
  await connection.publishing.connect();
  const keys = entries.map((entry) => (typeof entry === 'string' ? entry : JSON.stringify(entry)));
  await connection.publishing.demand(CHANNELS.PRESENCE).declare('1', keys, 1_000);
  return readRecords(connection.publishing);
}

describe('several records of one participant', () => {
  const [claimed, joined, left] = (['claimed', 'joined', 'left'] as const).map((state) => record({ state }));
  const newer = record({ revision: 2 });
  it.each([
    [[claimed, joined], joined],
    [[left, joined], left],
    [[joined, newer], newer],
    [[newer, joined], newer],
    [[left, record({ revision: 2, state: 'left' }), newer], record({ revision: 2, state: 'left' })],
  ])('%#: the latest counts', async (entries, expected) => {
    expect(await recordsAfter(...(entries as PresenceRecord[]))).toEqual([expected]);
  });

  it('leaves one on the server after its channels have changed', async () => {
    const world = newWorld();
    const { subscriber } = await world.program('momentum');
    for (const channel of [CHANNELS.BOT_STATUS, CHANNELS.AUDIT]) {
      subscriber.subscribe(channel, () => {});
      await world.clock.advance(100);
      expect(world.server.wanted('PRESENCE').size).toBe(1);
    }
    await subscriber.close();
    expect(world.server.wanted('PRESENCE').size).toBe(1);
    await world.clock.advance(3_000);
    expect(world.server.wanted('PRESENCE').size).toBe(0);
  });
});

it('ignores what other programs have written', async () => {
  const foreign = ['AAPL', '{}', 'null', '[1]', JSON.stringify({ ...record(), state: 'gone' })];
  expect(await recordsAfter(...foreign, JSON.stringify({ ...record(), pid: 'x' }), record())).toEqual([
    record(),
  ]);
});

it('refuses to read more than 10,000 records, keeps programs running, and recovers', async () => {
  const world = newWorld();
  await world.observe();
  const connection = world.connection();
  const logger = new RecordingLogger();
  await world.program('keeper', { connection, logger });
  const flood = Array.from({ length: MAX_PARTICIPANTS }, (_, index) => String(index));
  await connection.publishing.demand(CHANNELS.PRESENCE).declare('flood', flood, 10_000);
  const error = await errorOf(presenceList(connection));
  expect(error).toMatchObject({ code: 'TICKBUS_LIMIT_EXCEEDED', message: expect.stringContaining('10001') });
  await world.clock.advance(5_000);
  expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  const { connection: lost } = await world.program('lost');
  lost.disconnect();
  await world.clock.advance(10_000);
  expect(world.statesOf('lost')).toEqual(['joined', 'gone']);
});

it('removes any number of values that have no record', async () => {
  const world = newWorld();
  await world.program('keeper');
  const publisher = world.publisher(world.connection());
  const forged = Array.from({ length: 2_500 }, (_, index) => value({ instance: String(index) }));
  await Promise.all(forged.map((each) => publisher.publish(CHANNELS.PRESENCE, each)));
  await world.clock.advance(5_000);
  await world.observe();
  await eventLoopTurns();
  expect(world.reports.items.map(({ name }) => name)).toEqual(['keeper']);
});

describe('the keeper publishes', () => {
  const stored = (...values: readonly Presence[]) =>
    new Map(values.map((each) => [`${each.name}/${each.instance}`, each]));
  it.each<[string, readonly Presence[], readonly PresenceRecord[], readonly Presence['state'][]]>([
    ['nothing if all is right', [value()], [record()], []],
    ['joined for a record without a value', [], [record()], ['joined']],
    ['joined for a newer record', [value()], [record({ revision: 2 })], ['joined']],
    ['nothing for an older record', [value({ revision: 2 })], [record()], []],
    ['nothing for a claim', [], [record({ state: 'claimed' })], []],
    ['left for an end that was not published', [value()], [record({ state: 'left' })], ['left']],
    ['nothing for an end that was published', [], [record({ state: 'left' })], []],
    ['gone for a value without a record', [value()], [], ['gone']],
    ['gone and joined for a restart', [value()], [record({ instance: '2' })], ['joined', 'gone']],
  ])('%s', (_, values, records, expected) => {
    expect(differences(stored(...values), records).map(({ state }) => state)).toEqual(expected);
  });
});

it('reports a program that may write its record, and not publish', async () => {
  const world = newWorld();
  await world.observe();
  await world.program('keeper');
  await world.clock.advance(2_000);
  const { connection, subscriber } = await world.program('momentum', {
    connection: withoutPublishing(world.connection()),
  });
  await world.clock.advance(1_000);
  expect(world.statesOf('momentum')).toEqual(['joined']);
  subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
  await world.clock.advance(1_000);
  expect(world.reports.items.at(-1)).toMatchObject({ name: 'momentum', subscribes: ['BOT_STATUS', 'NOTES'] });
  expect(await presenceList(connection)).toHaveLength(2);
  await subscriber.close();
  await world.clock.advance(1_000);
  expect(world.statesOf('momentum')).toEqual(['joined', 'joined', 'left']);
});

function withoutPublishing(connection: MemoryConnection): MemoryConnection {
  const publish = connection.publishing.publish.bind(connection.publishing);
  connection.publishing.publish = async (channel, ...others) => {
    if (channel.name === 'PRESENCE') throw new TickbusError('TICKBUS_DENIED', 'Not permitted: publish.');
    return publish(channel, ...others);
  };
  return connection;
}

it('fits any number of channels into a record, and counts the others', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `CHANNEL_"ä"_${index}`);
  const short = listed(names);
  expect(short.at(-1)).toBe(`and ${1_000 - (short.length - 1)} more`);
  const size = Buffer.byteLength(
    JSON.stringify(
      record({
        name: '"'.repeat(128),
        host: 'h'.repeat(256),
        instance: 'i'.repeat(36),
        since: 1e13,
        subscribes: short,
        publishes: short,
      }),
    ),
  );
  expect(size).toBeLessThan(4_096 - 64);
  const world = newWorld();
  const { subscriber } = await world.program('momentum');
  const { messages } = CHANNELS.AUDIT;
  for (let index = 0; index < 300; index++)
    subscriber.subscribe(defineChannel(`CHANNEL_${index}`, { kind: 'event', messages }), () => {});
  await world.clock.advance(100);
  await eventLoopTurns();
  const [present] = await presenceList(world.connection());
  expect(present?.subscribes.at(-1)).toMatch(/^and \d+ more$/);
});
