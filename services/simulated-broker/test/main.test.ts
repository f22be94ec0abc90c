// The service as a process: ready line, service, graceful shutdown, one clear error for a bad flag.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { expect, it } from 'vitest';
import { RawClient } from './raw-client.fixture.ts';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));

function run(
  ...flags: string[]
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  const args = [MAIN, ...flags];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }) as ReturnType<typeof run>;
}

async function readyUrl(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdout })) {
    const { msg, url } = JSON.parse(line);
    if (msg === 'The simulated broker is ready.') return url;
  }
  throw new Error('The process ended before it was ready.');
}

it.each(['SIGTERM', 'SIGINT'] as const)('serves until %s and exits with 0', async (signal) => {
  const service = run('--port', '0', '--secret', 'hush-hush', '--rate', '100');
  const exit = once(service, 'exit');
  const client = await RawClient.connect(await readyUrl(service.stdout));
  client.authenticate({ key: 'local-key', secret: 'hush-hush' });
  client.send({ action: 'subscribe', trades: ['*'] });
  expect(await client.take(4)).toMatchObject([
    [{ msg: 'connected' }],
    [{ msg: 'authenticated' }],
    [{ T: 'subscription', trades: ['*'] }],
    [{ T: 't' }],
  ]);
  service.kill(signal);
  expect(await client.closed).toBe(1001);
  expect(await exit).toEqual([0, null]);
});

it('exits with one clear error for a bad flag', async () => {
  const service = run('--port', '99999');
  const [errors, [code]] = await Promise.all([text(service.stderr), once(service, 'exit')]);
  expect(errors).toBe('--port (or BROKER_PORT) must be a whole number from 0 to 65535.\n');
  expect(code).toBe(1);
});

it('exits with one clear error if the recorded session is missing', async () => {
  const service = run('--capture', 'no-such-file.jsonl.gz');
  const [errors, [code]] = await Promise.all([text(service.stderr), once(service, 'exit')]);
  expect(errors).toMatch(/^The capture no-such-file\.jsonl\.gz could not be read: ENOENT[^\n]*\n$/);
  expect(code).toBe(1);
});
