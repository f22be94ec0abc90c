// `tickbus check bot` on bots that are dead or hang, whatever their last status says.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterEach, expect, it } from 'vitest';
import { call, withServer } from './harness.ts';

const PROGRAM = await bundledProgram(new URL('./status-bot.fixture.ts', import.meta.url));
const server = withServer({ keepsData: true });
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await end(child, 'SIGKILL');
});

async function start(name: string, ...namespace: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, server.redis.url, name, ...namespace], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  await expect.poll(() => check(name, ...namespace)).toMatch(RUNNING);
  return child;
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

const check = async (name: string, namespace?: string) => {
  const options = namespace === undefined ? [] : ['--namespace', namespace];
  return (await call(['check', 'bot', name, ...options], { env: server.env() })).stdout;
};

const RUNNING = /^OK: [\w-]+ is running, last report/;
const GONE = /^CRITICAL: [\w-]+ is gone: it crashed, hangs or lost its link\. It reported running /;

it('kill -9: it is gone as soon as its record has expired, with the status of a minute', async () => {
  await end(await start('crashed'), 'SIGKILL');
  await expect.poll(() => check('crashed')).toMatch(GONE);
});

it('SIGSTOP: it is gone, and running when it continues', async () => {
  const child = await start('stopped');
  child.kill('SIGSTOP');
  await expect.poll(() => check('stopped')).toMatch(GONE);
  child.kill('SIGCONT');
  await expect.poll(() => check('stopped')).toMatch(RUNNING);
});

it('an orderly end: it is stopped', async () => {
  await end(await start('ended'), 'SIGTERM');
  expect(await check('ended')).toMatch(/^CRITICAL: ended is stopped, last report/);
});

it('a successor of another name, or in another namespace, does not count', async () => {
  await end(await start('first'), 'SIGKILL');
  await start('second');
  await start('first', 'paper');
  await expect.poll(() => check('first')).toMatch(GONE);
  expect(await check('first', 'paper')).toMatch(RUNNING);
});

it('a Redis that returns with older memory: the status of then does not count', async () => {
  const { redis } = server;
  const child = await start('older');
  await redis.answers('SAVE');
  await end(child, 'SIGKILL');
  await redis.kill();
  await redis.start();
  await expect.poll(() => check('older')).toMatch(GONE);
});

it('a bot that was restarted is running, without an alarm in between', async () => {
  await end(await start('restarted'), 'SIGTERM');
  let isStarted = false;
  const starting = start('restarted').then(() => {
    isStarted = true;
  });
  const seen: string[] = [];
  while (!isStarted) seen.push(await check('restarted'));
  await starting;
  expect(seen.filter((text) => GONE.test(text))).toEqual([]);
  expect(await check('restarted')).toMatch(RUNNING);
});
