// The users of docs/production.md and docs/sentinel.md suffice for replication, for a failover, and for a lease.

import { readFileSync } from 'node:fs';
import { SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { silentLogger as logger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { expect, it, onTestFinished } from 'vitest';
import { CHANNELS, RedisLease } from '../../index.ts';

const SEED = 1;
const PASSWORD = 'secret';

/** The lines of a page that define users. */
function usersOf(page: string): string[] {
  const text = readFileSync(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => /^user \w+ on >/.test(line));
  return lines.map((line) => line.replace('>PASSWORD', `>${PASSWORD}`));
}

it('a gateway with the rights of the documentation keeps its lease over a failover', async () => {
  const users = [...usersOf('production.md'), ...usersOf('sentinel.md')];
  expect(users.map((line) => line.split(' ')[1])).toEqual(
    expect.arrayContaining(['gateway', 'replica', 'sentinel']),
  );
  const args = users.flatMap((line) => {
    const words = line.split(' ').slice(1);
    return ['--user', ...words, ...(words[0] === 'gateway' ? ['+wait'] : [])];
  });
  const group = await SentinelGroup.start({
    random: new Random(SEED),
    args: [...args, '--masteruser', 'replica', '--masterauth', PASSWORD],
    sentinelLines: ['sentinel auth-user mymaster sentinel', `sentinel auth-pass mymaster ${PASSWORD}`],
  });
  onTestFinished(() => group[Symbol.asyncDispose]());
  const url = group.url.replace('//', `//gateway:${PASSWORD}@`);
  const lease = new RedisLease({ url, channel: CHANNELS.PRICE_DATA, ttlMs: 1_000, logger });
  onTestFinished(() => lease.close());
  const event = (name: 'gained' | 'lost') => new Promise<void>((resolve) => lease.on(name, () => resolve()));
  await Promise.all([event('gained'), lease.start()]);
  expect(lease.writer).toBeDefined();
  const lost = event('lost');
  await (await group.master()).server.kill();
  await lost;
  await event('gained');
  expect(lease.writer).toBeDefined();
}, 60_000);
