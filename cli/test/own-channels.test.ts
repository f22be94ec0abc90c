// A user's own channels in the verbs, as processes. The module has its own copy of the library, as in a user's project.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { defineChannel, RedisPublisher } from 'tickbus';
import { type Bot, defineBot } from 'tickbus/bot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { COMMAND, jsonLines, startTickbus, tickbus, withServer } from './harness.ts';

const FIXTURE = new URL('../../shared_library/operator-kit/test/channels.fixture.mjs', import.meta.url);
const server = withServer();
const module = await bundledProgram(FIXTURE);
const env = () => ({ ...server.env(), TICKBUS_CHANNELS: module });
const FILL = '{"order":"o-1","quantity":5}';
let folder: string;
beforeAll(async () => {
  // Inside the repository, so that a module in it finds the packages that it imports.
  const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
  await mkdir(cache, { recursive: true });
  folder = await mkdtemp(join(cache, 'tickbus-own-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('with TICKBUS_CHANNELS', () => {
  it('pub validates and numbers, sub filters by key and reads the history', async () => {
    const sub = startTickbus(['sub', 'FILLS', '--key', 'o-*', '-n', '1', '-v'], { env: env() });
    await sub.err(/Listening to FILLS/);
    const pub = await tickbus(['pub', 'FILLS', FILL], { env: env() });
    expect(pub).toMatchObject({ code: 0, stderr: '' });
    expect(jsonLines(pub.stdout)).toMatchObject([{ channel: 'FILLS', message_type: 'fill', seq: 1 }]);
    const { code, stdout, stderr } = await sub.ended;
    expect({ code, isKnown: !stderr.includes('not a known channel') }).toEqual({ code: 0, isKnown: true });
    expect(jsonLines(stdout)).toMatchObject([{ channel: 'FILLS', seq: 1, data: { order: 'o-1' } }]);
    const stored = await tickbus(['sub', 'FILLS', '--snapshot'], { env: env() });
    expect(jsonLines(stored.stdout)).toMatchObject([{ data: { order: 'o-1' } }]);
    const invalid = await tickbus(['pub', 'FILLS', '{"order":"o-1","quantity":"x"}'], { env: env() });
    expect(invalid).toMatchObject({ code: 64, stderr: expect.stringContaining('quantity') });
  });

  it('cmd sends an own type, which the bot obeys, and validates it', async () => {
    await using bot = momentum();
    await bot.start();
    const send = (json: string) =>
      tickbus(['cmd', 'momentum', 'set_size', json, '-wy', '-t', '60s'], { env: env() });
    const done = await send('{"size":3}');
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(jsonLines(done.stdout)).toMatchObject([{ outcome: 'done', detail: 'Size 3.' }]);
    const invalid = await send('{"size":"big"}');
    expect(invalid).toMatchObject({ code: 64, stderr: expect.stringContaining('size') });
  });

  it('completion and help list them; config shows the module', async () => {
    const { stdout } = await tickbus(['completion', 'bash'], { env: env() });
    expect(stdout).toMatch(/\bFILLS\b/);
    expect(stdout).toMatch(/\bset_size\b/);
    const config = await tickbus(['config'], { env: env() });
    const help = await tickbus(['cmd', '--help'], { env: env() });
    expect(help.stdout.replaceAll(/\s+/g, ' ')).toMatch(/action .*resume, set_size .*\(default: 10s\)/);
    expect(config.stdout).toMatch(/^channels +\S+ +environment \(TICKBUS_CHANNELS\)$/m);
  });

  it('the variable can come from --env-file', async () => {
    const file = join(folder, 'env');
    await writeFile(file, `TICKBUS_CHANNELS=${module}\n`);
    const pub = await tickbus(['--env-file', file, 'pub', 'FILLS', FILL, '--dry-run'], { env: server.env() });
    expect(pub.code).toBe(0);
  });
});

it('names a channel whose writer defines it in another way, and what to do', async () => {
  const check = () => tickbus(['check', 'channel', 'FILLS'], { env: env() });
  const redefine = async (history: number, kind: 'state' | 'event') => {
    await server.redis.answers('FLUSHALL');
    const messages = { fill: z.object({ order: z.string(), quantity: z.number() }) };
    const definition = { key: 'order', messages, ...(kind === 'event' && { history }) } as const;
    const publisher = new RedisPublisher({ url: server.redis.url, sender: 'alpha', logger: silentLogger });
    await publisher.publish(
      defineChannel('FILLS', { kind, ...definition } as never),
      JSON.parse(FILL) as never,
    );
    await publisher.close();
  };
  await redefine(100, 'event');
  expect(await check()).toMatchObject({ code: 0 });
  await redefine(50, 'event');
  expect(await check()).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^WARNING: The channel FILLS is defined with another history: .* by alpha\./,
    ),
  });
  await redefine(0, 'state');
  expect(await check()).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(
      /^CRITICAL: .*"kind=event key=order history=100".*"kind=state key=order" by alpha/,
    ),
  });
  const status = await tickbus(['status', '--json'], { env: env() });
  expect(status.code).toBe(1);
  const { problems } = JSON.parse(status.stdout);
  expect(problems[0]).toMatchObject({
    subject: 'channel',
    found: expect.stringContaining('the channel FILLS is defined with another kind'),
    advice: expect.stringContaining("DEL 'tickbus:{FILLS}:head'"),
  });
  const pub = await tickbus(['pub', 'FILLS', FILL], { env: env() });
  expect(pub.code).not.toBe(0);
  expect(pub.stderr).toContain('another kind');
  const doctor = await tickbus(['doctor'], { env: env() });
  expect(doctor.stdout + doctor.stderr).toContain('the channel FILLS is defined with another kind');
  await server.redis.answers('FLUSHALL');
});

it('the page docs/cli.md describes a module and commands that work', async () => {
  const page = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const [, source = '', commands = ''] = /```ts\n(.*?)```.*?```bash\n(.*?)```/s.exec(page) ?? [];
  await writeFile(join(folder, 'channels.ts'), source);
  await writeFile(join(folder, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${COMMAND}' "$@"\n`, {
    mode: 0o755,
  });
  await using bot = momentum();
  await bot.start();
  const env = { ...server.env(), PATH: `${folder}:${process.env.PATH}` };
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-ec', commands], { cwd: folder, env });
  expect(stdout).toContain('"outcome":"done","detail":"Size 5."');
  expect(stdout).toMatch(/"channel":"FILLS".*"order":"o-1"/);
  expect(stdout).toMatch(/^OK: The newest message on FILLS was published [\d.]+ \w+ ago\.$/m);
});

it('without it, the channel and the type are unknown, and the error names the variable', async () => {
  const pub = await tickbus(['pub', 'FILLS', FILL], { env: server.env() });
  expect(pub).toMatchObject({ code: 64, stderr: expect.stringContaining('TICKBUS_CHANNELS') });
  const cmd = await tickbus(['cmd', 'momentum', 'set_size', '{}', '-y'], { env: server.env() });
  expect(cmd).toMatchObject({ code: 64, stderr: expect.stringContaining('TICKBUS_CHANNELS') });
});

it('an unusable module is a usage error, except for the help and the settings', async () => {
  const file = join(folder, 'throws.mjs');
  await writeFile(file, 'throw new Error("No licence.");');
  const broken = { env: { ...server.env(), TICKBUS_CHANNELS: file } };
  expect(await tickbus(['bots'], broken)).toEqual({
    code: 64,
    stdout: '',
    stderr: `tickbus: The module of TICKBUS_CHANNELS, ${file}, cannot be loaded: No licence. Correct the module.\n`,
  });
  expect((await tickbus(['pub', '--help'], broken)).code).toBe(0);
  expect((await tickbus(['config'], broken)).code).toBe(0);
});

function momentum(): Bot {
  return defineBot({ name: 'momentum', url: server.redis.url, logger: silentLogger }).onCommand(
    'set_size',
    z.object({ size: z.number() }),
    ({ data }) => ({ outcome: 'done', detail: `Size ${data.size}.` }),
  );
}
