// A name for one program only: refused while another has it, taken over from one that has crashed.

import { randomInt } from 'node:crypto';
import { errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { readRecords } from '../../presence/presence-record.ts';
import { presenceList } from '../../presence.ts';
import { RedisPublisher } from '../../publisher.ts';
import { NOTES, settled, type World, worlds } from './presence.fixture.ts';

const newWorld = worlds();
const unique = (world: World, name: string, connection = world.connection()) =>
  settled(world.clock, world.program(name, { connection, uniqueName: true }));

it('starts at once if nobody has the name', async () => {
  const world = newWorld();
  // The clock stands still.
  await world.program('momentum', { uniqueName: true });
  expect(await presenceList(world.connection())).toMatchObject([{ name: 'momentum', state: 'joined' }]);
});

it('refuses a second program, says who has the name since when, and does not disturb it', async () => {
  const world = newWorld();
  await world.observe();
  await world.program('momentum');
  const [holder] = await presenceList(world.connection());
  await world.clock.advance(60_000);
  const error = (await errorOf(unique(world, 'momentum'))) as Error;
  expect(error).toMatchObject({ code: 'TICKBUS_NAME_TAKEN', field: 'name', retryable: true });
  expect(error.message).toContain(`process ${process.pid}`);
  expect(error.message).toContain(new Date(holder?.since ?? 0).toISOString());
  await world.clock.advance(10_000);
  expect(world.statesOf('momentum')).toEqual(['joined']);
  expect(await presenceList(world.connection())).toHaveLength(1);
});

it('refuses a publisher, too, which then sends nothing', async () => {
  const world = newWorld();
  await world.program('momentum');
  const publisher = new RedisPublisher({
    connection: world.connection(),
    clock: world.clock,
    name: 'momentum',
    uniqueName: true,
  });
  const outcome = settled(world.clock, publisher.publish(NOTES, { text: 'a' }));
  expect(await errorOf(outcome)).toMatchObject({ code: 'TICKBUS_NAME_TAKEN' });
  await publisher.close();
});

it('takes the name of a program that has crashed', async () => {
  const world = newWorld();
  const { connection } = await world.program('momentum');
  connection.disconnect();
  await unique(world, 'momentum');
  expect(await presenceList(world.connection())).toHaveLength(1);
});

it('takes the name of a program that has left, at once', async () => {
  const world = newWorld();
  const { subscriber } = await world.program('momentum', { uniqueName: true });
  await subscriber.close();
  await world.program('momentum', { uniqueName: true });
});

it.each([
  ['0', 'withdraws its claim', ['0']],
  ['z', 'keeps its claim', ['own', 'z']],
])(
  'beside the claim of instance %s it %s, and wins when that claim is withdrawn',
  async (other, _, claims) => {
    const world = newWorld();
    const connection = world.connection();
    await connection.publishing.connect();
    const demand = connection.publishing.demand(CHANNELS.PRESENCE);
    const claim = JSON.stringify({
      name: 'momentum',
      instance: other,
      state: 'claimed',
      since: 1,
      subscribes: [],
      publishes: [],
      host: 'h',
      pid: 1,
      revision: 1,
    });
    await demand.declare(other, [claim], 60_000);
    const starting = world.program('momentum', { uniqueName: true });
    await eventLoopTurns();
    const instances = (await readRecords(connection.publishing)).map(({ instance }) =>
      instance === other ? other : 'own',
    );
    expect(instances.sort()).toEqual(claims);
    await demand.withdraw(other, [claim]);
    await settled(world.clock, starting);
    expect(await presenceList(connection)).toMatchObject([{ name: 'momentum' }]);
  },
);

it('lets exactly one of several win that start at the same time', async () => {
  const random = new Random(randomInt(2 ** 31));
  console.log(`seed ${random.seed}`);
  for (let round = 0; round < 20; round++) {
    const world = newWorld();
    const starts = Array.from({ length: random.int(2, 6) }, async () => {
      await eventLoopTurns(random.int(0, 12));
      return world.program('momentum', { uniqueName: true });
    });
    const outcomes = await settled(world.clock, Promise.allSettled(starts));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(outcomes.length - refused.length).toBe(1);
    for (const error of refused) expect(error).toMatchObject({ code: 'TICKBUS_NAME_TAKEN' });
    expect(await presenceList(world.connection())).toHaveLength(1);
  }
});
