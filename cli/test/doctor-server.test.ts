// `tickbus doctor` on servers that lack a command, or whose keys another program has written to.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalRedis } from '@tickbus/local-redis';
import { expect, it } from 'vitest';
import type { DoctorFinding } from '../diagnosis/finding.ts';
import { call } from './harness.ts';

it.each([
  ['EVAL', 'fail', 1],
  ['EVALSHA', 'fail', 1],
  ['INFO', 'fail', 1],
  ['CONFIG', 'unknown', 0],
  ['CLIENT', 'ok', 0],
])('has a line for a server without %s', async (command, level, expected) => {
  await using redis = await startLocalRedis({ args: ['--rename-command', command, ''] });
  const { code, stdout } = await call(['doctor', '--json', '--url', redis.url]);
  const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
  const found = expect.stringMatching(`^the server does not have ${command}( GET)?: `);
  expect(findings.filter(({ subject }) => subject === 'commands')).toMatchObject([
    { level, found, advice: expect.stringContaining('rename-command') },
  ]);
  expect(code).toBe(expected);
});

it('names the keys that another program has written to', async () => {
  await using redis = await startLocalRedis();
  await redis.answers('HSET tickbus:{PRICE_DATA}:head epoch abc', 'SET tickbus:{FEED_STATUS}:last text');
  const { code, stdout } = await call(['doctor', '--json', '--url', redis.url]);
  const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
  expect(findings.filter(({ subject }) => subject === 'keys')).toMatchObject([
    { level: 'fail', advice: expect.stringContaining('DEL tickbus:{PRICE_DATA}:head') },
    { level: 'fail', advice: expect.stringContaining('DEL tickbus:{FEED_STATUS}:last') },
  ]);
  expect(code).toBe(1);
});

it('does not pass keys and leases that the user may not read', async () => {
  await using redis = await startLocalRedis();
  await redis.answers(
    'ACL SETUSER limited on >secret ~* &* +@all -pttl',
    'HSET tickbus:{FEED_STATUS}:head epoch abc',
    'SET tickbus:{PRICE_DATA}:lease 7',
  );
  const url = redis.url.replace('//', '//limited:secret@');
  const { stdout } = await call(['doctor', '--json', '--url', url]);
  const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
  expect(findings.filter(({ subject }) => subject === 'keys')).toMatchObject([{ level: 'unknown' }]);
  expect(findings.filter(({ subject }) => subject === 'writer')).toMatchObject([
    { found: expect.stringMatching(/^who holds the leases is unknown; /) },
  ]);
});

it('fails a server that rejects writes because it cannot save', async () => {
  const path = await mkdtemp(join(tmpdir(), 'tickbus-save-'));
  await using redis = await startLocalRedis({ args: ['--dir', path, '--save', '3600 1'] });
  await rm(path, { recursive: true });
  await redis.answers('SET k v', 'BGSAVE');
  await expect.poll(() => redis.answers('SET k v')).toContain('MISCONF');
  const { code, stdout } = await call(['doctor', '--json', '--url', redis.url]);
  const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
  expect(findings.filter(({ subject }) => subject === 'persistence')).toMatchObject([
    { level: 'fail', found: expect.stringContaining('MISCONF') },
  ]);
  expect(code).toBe(1);
});
