// The monitor as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Snapshot } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

function start(env: NodeJS.ProcessEnv) {
  return spawn(process.execPath, [MAIN], {
    env: { ...process.env, REDIS_URL: redis.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

it('prints its address, serves the page there, and exits with 0 on SIGTERM', async () => {
  const child = start({ MONITOR_PORT: '0' });
  const [line] = await once(child.stdout, 'data');
  const url = /^The monitor is on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line))?.[1] ?? '';
  expect(await (await fetch(url)).text()).toContain('<title>tickbus</title>');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

it('reports an invalid setting in one line without the secret', async () => {
  const child = start({ MONITOR_TOKEN: 'hunter2' });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(errors).toBe(
    'MONITOR_TOKEN must be at least 16 printable ASCII characters, without spaces at the ends.\n',
  );
});

it('with a module of own channels, shows them; without the module, says so in one line', async () => {
  const fixture = new URL('../../../shared_library/operator-kit/test/channels.fixture.mjs', import.meta.url);
  const child = start({ MONITOR_PORT: '0', TICKBUS_CHANNELS: await bundledProgram(fixture) });
  const [line] = await once(child.stdout, 'data');
  const url = /http:\S+/.exec(String(line))?.[0] ?? '';
  // The rows of channels appear with the first rates.
  await eventually(async () => {
    const stream = await EventStreamReader.open(`${url}/api/stream`);
    const { channels } = JSON.parse((await stream.next()).data) as Snapshot;
    stream.close();
    expect(channels.map(({ name }) => name)).toContain('FILLS');
  });
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  const failing = start({ TICKBUS_CHANNELS: './absent.mjs' });
  let errors = '';
  failing.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  expect(await once(failing, 'close')).toEqual([1, null]);
  expect(errors).toMatch(/^The module of TICKBUS_CHANNELS, \.\/absent\.mjs, does not exist .*\n$/);
});
