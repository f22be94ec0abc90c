// A program with a unique name whose record was missing: it learns that another program has the name, too.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, errorOf, eventLoopTurns, RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { defineBot } from '../../bot.ts';
import { CHANNELS } from '../../constants.ts';
import type { SubscriberStatus } from '../../index.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { settled, type World, worlds } from './presence.fixture.ts';

const newWorld = worlds();
const PROGRAM = await bundledProgram(new URL('./unique-bot.fixture.ts', import.meta.url));

/** A program with a unique name, and how often it was told that another one has the name. */
async function start(world: World, connection = world.connection(), logger = new RecordingLogger()) {
  const { subscriber } = await world.program('momentum', { connection, uniqueName: true, logger });
  const taken: SubscriberStatus[] = [];
  subscriber.on('status', (status) => status.type === 'name_taken' && taken.push(status));
  return { connection, subscriber, taken, logger };
}

it('is reported once, by the one that was cut off, and that one logs it', async () => {
  const world = newWorld();
  const first = await start(world);
  first.connection.disconnect();
  const second = await settled(world.clock, start(world));
  expect(first.taken).toEqual([]);
  first.connection.reconnect();
  await world.clock.advance(5_000);
  const code = 'TICKBUS_NAME_TAKEN';
  expect(first.taken).toMatchObject([{ type: 'name_taken', error: { code, field: 'name' } }]);
  expect(first.taken[0]).toMatchObject({ error: { message: expect.stringContaining(`${process.pid}`) } });
  expect(second.taken).toEqual([]);
  expect(first.logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
});

it('is not reported if nobody has taken the name, or if the link was down for a moment', async () => {
  const world = newWorld();
  const first = await start(world);
  for (const outageMs of [500, 10_000]) {
    first.connection.disconnect();
    await world.clock.advance(outageMs);
    first.connection.reconnect();
    await world.clock.advance(1_000);
  }
  expect(await errorOf(settled(world.clock, start(world)))).toMatchObject({ code: 'TICKBUS_NAME_TAKEN' });
  expect(first.taken).toEqual([]);
});

it('is reported after the server has lost its memory, and another was faster', async () => {
  const world = newWorld();
  const first = await start(world);
  first.connection.disconnect();
  world.server.flush();
  await start(world);
  first.connection.reconnect();
  await eventLoopTurns();
  expect(first.taken).toHaveLength(1);
});

it('a bot reports it as its error', async () => {
  const world = newWorld();
  const connection = world.connection();
  const options = { name: 'momentum', uniqueName: true, clock: world.clock, logger: silentLogger };
  await using bot = defineBot({ ...options, connection });
  await bot.start();
  connection.disconnect();
  const second = await settled(world.clock, start(world));
  connection.reconnect();
  await world.clock.advance(1_000);
  expect(bot.state).toBe('error');
  expect(second.taken).toEqual([]);
});

it('of programs on links that are cut at any time, at most one believes that it is the only one', async () => {
  const random = new Random(randomInt(2 ** 31));
  console.log(`seed ${random.seed}`);
  let rivals = 0;
  for (let round = 0; round < 30; round++) {
    const world = newWorld();
    const started: Awaited<ReturnType<typeof start>>[] = [];
    const idle = new Set(Array.from({ length: random.int(2, 4) }, () => world.connection()));
    const links = [...idle];
    const attempt = (link: (typeof links)[number]) => {
      idle.delete(link);
      start(world, link).then(
        (one) => started.push(one),
        () => idle.add(link),
      );
    };
    for (let step = 0; step < 60; step++) {
      for (const link of idle) if (random.percent(70)) attempt(link);
      await eventLoopTurns(random.int(0, 4));
      const link = links[random.int(0, links.length - 1)];
      if (random.percent(50)) link?.disconnect();
      else link?.reconnect();
      await world.clock.advance(random.int(1, 900));
    }
    for (const link of links) link.reconnect();
    await world.clock.advance(5_000);
    expect(started.filter(({ taken }) => taken.length === 0).length).toBeLessThanOrEqual(1);
    if (started.length > 1) rivals++;
  }
  expect(rivals).toBeGreaterThan(0);
});

it('a process that continues after SIGSTOP reports it', async () => {
  await using redis = await startLocalRedis();
  const child = spawn(process.execPath, [PROGRAM, redis.url, 'momentum'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const lines = linesOf(child);
    await lines.first((line) => line === 'ready');
    child.kill('SIGSTOP');
    await using second = new RedisSubscriber({
      url: redis.url,
      name: 'momentum',
      uniqueName: true,
      logger: silentLogger,
    });
    const told: string[] = [];
    second.on('status', ({ type }) => told.push(type));
    second.subscribe(CHANNELS.BOT_STATUS, () => {});
    // Succeeds when the record of the first has expired.
    await expect.poll(() => second.startListening().then(String, String)).toBe('undefined');
    child.kill('SIGCONT');
    expect(await lines.first((line) => line !== 'ready')).toBe('TICKBUS_NAME_TAKEN');
    expect(told).not.toContain('name_taken');
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

function linesOf(child: ChildProcess): EventRecorder<string> {
  const lines = new EventRecorder<string>();
  child.stdout?.on('data', (text) => {
    for (const line of String(text).trim().split('\n')) lines.add(line);
  });
  return lines;
}
