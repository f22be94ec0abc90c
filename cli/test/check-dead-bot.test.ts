// `tickbus check bot`, `status` and `bots` on bots that are dead, hang or run twice, whatever their last status says.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterEach, expect, it } from 'vitest';
import { call, jsonLines, withServer } from './harness.ts';

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

const said = async (...args: string[]) => (await call(args, { env: server.env() })).stdout;
const row = async (name: string) => jsonLines(await said('bots', '--json')).find(({ bot }) => bot === name);

const RUNNING = /^OK: [\w-]+ is running, last report/;
const GONE = /^CRITICAL: [\w-]+ is gone: it crashed, hangs or lost its link\. It reported running /;

it('kill -9: it is gone as soon as its record has expired, with the status of a minute', async () => {
  await end(await start('crashed'), 'SIGKILL');
  await expect.poll(() => check('crashed')).toMatch(GONE);
});

it('kill -9: status and bots say so, too, while the status of a minute is not late', async () => {
  const child = await start('killed');
  await expect.poll(() => row('killed')).toMatchObject({ verdict: 'alive', programs: 1 });
  await end(child, 'SIGKILL');
  await expect
    .poll(() => said('status', '--json'))
    .toContain('the bot killed is gone: it crashed, hangs or lost its link');
  expect(await row('killed')).toMatchObject({ state: 'running', verdict: 'gone', programs: 0 });
});

it('two copies: status, check and bots warn until one has stopped', async () => {
  await start('twice');
  const copy = spawn(process.execPath, [PROGRAM, server.redis.url, 'twice'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(copy);
  const text = '2 programs are named twice, and each obeys its commands and trades';
  await expect.poll(() => said('status', '--json')).toContain(text);
  expect(await check('twice')).toMatch(new RegExp(`^WARNING: ${text}; twice is running, last report`));
  expect(await row('twice')).toMatchObject({ verdict: 'alive', programs: 2 });
  expect(await said('bots')).toMatch(/^twice \(2 copies\) +running/m);
  await end(copy, 'SIGTERM');
  expect(await said('status', '--json')).not.toContain(text);
  // The copy that runs reports again after its interval.
  expect(await said('bots')).toContain('(another program of this name runs)');
});

it('SIGSTOP: it is gone, and running when it continues', async () => {
  const child = await start('stopped');
  child.kill('SIGSTOP');
  await expect.poll(() => check('stopped')).toMatch(GONE);
  const { code, stderr } = await call(['cmd', 'stopped', 'pause', '-wy'], { env: server.env() });
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('stopped is gone: it crashed, hangs or lost its'),
  ]);
  expect(stderr).toContain('pause was not sent. See whether its process still runs');
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
