// The examples and the demo without a usable Redis: they print what failed and what to do, and exit with an error.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll, expect, it } from 'vitest';

/** Nothing listens there. */
const NO_REDIS = 'redis://127.0.0.1:1';
const STACK_LINE = /^ {4}at |\^$|node:internal/m;

const folder = new URL('../', import.meta.url);
/** The others need no Redis. */
const programs = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'testing-a-bot.ts');

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis({ args: ['--requirepass', 'secret'] });
});
afterAll(() => redis.kill());

it.concurrent.each(programs)('%s prints that Redis must be started', async (name) => {
  const { code, stderr } = await run(name, NO_REDIS);
  expect(stderr).toBe(
    `Cannot connect to Redis at ${NO_REDIS}: the connection was refused (ECONNREFUSED). Start Redis ` +
      '(`docker compose up -d redis`, or `redis-server`), or set REDIS_URL, or REDIS_HOST and REDIS_PORT, to its ' +
      'address.\n',
  );
  expect(code).toBe(1);
});

it.concurrent.each([
  ['quickstart.ts', () => '127.0.0.1:6379', /^REDIS_URL is not a Redis URL\. Write it as redis:/],
  [
    'quickstart.ts',
    () => redis.url,
    /: NOAUTH it requires a password\. Check the user and password in REDIS_URL, as in /,
  ],
  [
    'quickstart.ts',
    () => withPassword('wrong'),
    /: WRONGPASS .*\. Check the user and password in REDIS_URL, as in /,
  ],
  [
    '../demo/main.ts',
    () => NO_REDIS,
    /^Cannot connect .*\nWithout REDIS_URL, the demo starts a Redis of its own\.$/m,
  ],
  ['../demo/main.ts', () => '127.0.0.1:6379', /^REDIS_URL is not a Redis URL\. Write it as redis:/],
])('%s, case %#: prints what to correct', async (name, url, expected) => {
  const { code, stderr } = await run(name, url());
  expect(stderr.trim()).toMatch(expected);
  expect(stderr).not.toMatch(STACK_LINE);
  expect(code).toBe(1);
});

function withPassword(password: string): string {
  return redis.url.replace('redis://', `redis://:${password}@`);
}

async function run(name: string, url: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [await bundledProgram(new URL(name, folder))], {
    env: { ...process.env, REDIS_URL: url, TO_URL: url },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stderr = await text(child.stderr);
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  return { code: child.exitCode, stderr };
}
