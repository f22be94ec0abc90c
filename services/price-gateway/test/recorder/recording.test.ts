// The gateway process records: after SIGTERM the file contains every received frame and no secret.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { readCapture, toMarketEvents } from '@tickbus/capture';
import { startLocalRedis } from '@tickbus/local-redis';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { createGenerator } from '@tickbus/simulated-broker/sources/generator';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { expect, it, onTestFinished, vi } from 'vitest';

const MAIN = await bundledProgram(new URL('../../main.ts', import.meta.url));
const SECRET = 'hush-hush';

it('writes every received frame before it exits on SIGTERM, and no secret', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'recording-'));
  const redis = await startLocalRedis();
  await using broker = await startSimulatedBroker({
    secret: SECRET,
    source: createGenerator({ rate: 2_000 }),
  });
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH ?? '',
      REDIS_URL: redis.url,
      ALPACA_KEY: 'local-key',
      ALPACA_SECRET: SECRET,
      ALPACA_URL: broker.url,
      SYMBOLS: '*',
      HTTP_PORT: '0',
      RECORD_TO: folder,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [log, exit] = [text(child.stderr), once(child, 'exit')];
  onTestFinished(() => void child.kill('SIGKILL'));
  await vi.waitFor(() => expect(broker.stats.messagesSent).toBeGreaterThan(1_000), 20_000);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  await redis.kill();
  const [name = '', ...others] = await readdir(folder);
  expect(others).toEqual([]);
  expect(name).toMatch(/^alpaca-.*\.jsonl\.gz$/);
  let events = 0;
  for await (const record of readCapture(join(folder, name))) events += toMarketEvents(record).length;
  const lines = (await log)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const stopped = lines.find(({ msg }) => msg === 'The gateway has stopped.');
  expect(events).toBe(stopped.events);
  expect(events).toBeGreaterThan(500);
  expect(gunzipSync(await readFile(join(folder, name))).toString()).not.toContain(SECRET);
  await rm(folder, { recursive: true });
});
