// The faults of a random program.

import { setTimeout as sleep } from 'node:timers/promises';
import { changeUser, createUser } from '../integration/integration.fixture.ts';
import { type Fault, type PartitionCandidate, TTL_MS, type World } from './program-world.fixture.ts';

export async function inject(
  world: World,
  fault: Fault,
  victim: PartitionCandidate,
  rules: readonly string[],
): Promise<void> {
  const { random, redis, options } = world;
  const { holding, bytes } = victim;
  const command = (...args: string[]) => world.admin.sendCommand(args).catch(() => undefined);
  const count = random.pick(options.counts as [number, ...number[]]);
  const index = random.int(0, count - 1);
  const part = count === 1 ? 'ATTACK' : `ATTACK#${index}/${count}`;
  switch (fault) {
    case 'cut':
      return holding.cut();
    case 'byteCut':
      return bytes.cutAfter(random.int(1, 20_000));
    case 'drop':
      holding.dropsReplies = true;
      await sleep(random.int(0, 30));
      holding.dropsReplies = false;
      return holding.cut();
    case 'hold':
      holding.holdsRequests = true;
      await sleep(random.int(0, 200));
      if (random.percent(50)) return holding.release();
      holding.holdsRequests = false;
      return holding.cut();
    case 'late':
      // The bytes of the holder reach the server after its lease has expired.
      holding.holdsRequests = true;
      await sleep(random.int(5, 30));
      holding.abandonLeases();
      holding.refuses = true;
      await sleep(random.pick([100, TTL_MS, TTL_MS * 2, TTL_MS * 3]));
      holding.refuses = false;
      return holding.release();
    case 'release':
      return victim.restart(count);
    case 'recount':
      return victim.restart(count);
    case 'pause':
      redis.pause();
      await sleep(random.int(20, TTL_MS * 2));
      return redis.resume();
    case 'kill':
      await redis.kill();
      await redis.start();
      return void (await createUser(redis, 'writer', ...rules));
    case 'oldMemory': {
      await command('SAVE');
      await sleep(random.int(20, 400));
      await redis.kill();
      await redis.start();
      return void (await createUser(redis, 'writer', ...rules));
    }
    case 'oom':
      await command('CONFIG', 'SET', 'maxmemory', '1');
      await sleep(random.int(1, 100));
      return void (await command('CONFIG', 'SET', 'maxmemory', '0'));
    case 'acl': {
      const denied = random.pick([
        ['resetchannels', '&ATTACK', '&tickbus*'],
        ['resetkeys', '~tickbus:{ATTACK}:*', '~tickbus:{ATTACK#0/*'],
        ['-eval'],
        ['-client|kill'],
        ['-hset'],
      ] as [string[], ...string[][]]);
      await changeUser(redis, 'writer', ...denied);
      await sleep(random.int(5, 300));
      return changeUser(redis, 'writer', ...rules);
    }
    case 'foreign': {
      const key = `tickbus:{${part}}:${random.pick(['last', 'history', 'head'])}`;
      await command('SET', key, 'foreign');
      await sleep(random.int(5, 200));
      return void (await command('DEL', key));
    }
    case 'flush':
      return void (await command('FLUSHALL'));
  }
}
