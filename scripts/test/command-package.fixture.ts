// Tests of the command line as users get it: packed, installed into an empty folder, with channels of their own.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installInto, type Packed, run, SLOW_MS } from './package.fixture.ts';

export interface CommandSetup {
  /** An empty folder for the projects. */
  readonly folder: string;
  /** A project with the library alone. */
  readonly consumer: string;
  /** The library and the command. */
  readonly packages: readonly Packed[];
}

const CHANNELS_MODULE = `
import { defineChannel, tradeCommands } from 'tickbus';
import { z } from 'zod';
const fill = z.object({ order: z.string(), quantity: z.number() });
export const FILLS = defineChannel('FILLS', { kind: 'event', key: 'order', history: 1000, messages: { fill } });
export const COMMANDS = tradeCommands({ set_size: z.object({ size: z.number() }) });
`;
const BOT = `
import { defineBot } from 'tickbus/bot';
import { z } from 'zod';
const outcome = 'done';
await defineBot({ name: 'momentum' })
  .onCommand('set_size', z.object({ size: z.number() }), ({ data }) => ({ outcome, detail: 'Size ' + data.size + '.' }))
  .start();
console.log('started');
`;

/** In this order: a verb may read what an earlier one has written. */
const VERBS: readonly (readonly [args: readonly string[], shows: RegExp])[] = [
  [['who', 'momentum'], /^momentum +.* BOT_STATUS +TRADE_COMMANDS$/m],
  [['bots'], /\bmomentum\b.*\brunning\b/],
  [['status'], /^All is well: 1 bot reports\.$/m],
  [['cmd', 'momentum', 'set_size', '{"size":5}', '-wy', '-t', '60s'], /"detail":"Size 5\."/],
  [['pub', 'FILLS', '{"order":"o-1","quantity":5}'], /"message_type":"fill".*"seq":1\b/],
  [['sub', 'FILLS', '--key', 'o-1', '--snapshot'], /"quantity":5\b/],
  [['check', 'channel', 'FILLS', '--critical', '1h'], /^OK: /],
  [['check', 'bot', 'momentum', '--critical', '1m'], /^OK: /],
  [['pub', 'PRICE_DATA', '{"symbol":"AAPL","price":187.5,"timestamp":0}'], /"seq":1\b/],
  [['price', 'AAPL'], /\bAAPL\b.*\b187\.5\b/],
  [['top', '--once'], /\bFILLS\b/],
  [['bench', '--msgs', '100'], /^received .* 0 lost$/m],
  [['doctor'], /^ok +version +redis/],
  [['record', 'session.jsonl', 'BOT_STATUS', '-n', '1', '-t', '60s'], /^$/],
  [['replay', 'session.jsonl', '--speed', 'max'], /^$/],
  [['config'], /^channels +\.\/channels\.mjs +environment \(TICKBUS_CHANNELS\)$/m],
  [['completion', 'bash'], /^(?=.*\bFILLS\b)(?=.*\bset_size\b)/s],
];

export function testCommandPackage(setup: () => CommandSetup): void {
  let redis: LocalRedis;
  let project: string;
  let bot: ChildProcessByStdio<null, Readable, null>;
  const env = (): Record<string, string> => ({
    REDIS_URL: redis.url,
    TICKBUS_CHANNELS: './channels.mjs',
  });
  const tickbus = (...args: string[]) =>
    run({ cwd: project, env: env() }, join(project, 'node_modules/.bin/tickbus'), ...args);

  beforeAll(async () => {
    const { folder, packages } = setup();
    redis = await startLocalRedis();
    project = join(folder, 'desk');
    await installInto(project, packages);
    await writeFile(join(project, 'channels.mjs'), CHANNELS_MODULE);
    await writeFile(join(project, 'bot.mjs'), BOT);
    bot = spawn(process.execPath, ['bot.mjs'], {
      cwd: project,
      env: { PATH: process.env.PATH, REDIS_URL: redis.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(bot.stdout, 'data');
  }, SLOW_MS);

  afterAll(async () => {
    const exit = bot.exitCode === null ? once(bot, 'exit') : undefined;
    bot.kill('SIGKILL');
    await exit;
    await redis.stop();
  });

  test('npx finds it in a project of the library and the command', { timeout: SLOW_MS }, async () => {
    const offline = ['--offline', '--no-install'];
    const sentence = await run({ cwd: project, env: env() }, 'npx', ...offline, 'tickbus', 'status');
    expect(sentence).toBe('All is well: 1 bot reports.\n');
  });

  test.each(VERBS)('tickbus %j', { timeout: SLOW_MS }, async (args, shows) => {
    expect(await tickbus(...args)).toMatch(shows);
  });

  test('every verb is covered', { timeout: SLOW_MS }, async () => {
    const help = await tickbus('--help');
    const [, list = ''] = help.split(/^Commands:\n/m);
    const verbs = [...list.matchAll(/^ {2}([a-z]+) /gm)].map(([, verb]) => verb);
    // The next test starts the monitor.
    expect([...new Set([...VERBS.map(([[verb]]) => verb), 'monitor'])].sort()).toEqual(verbs.sort());
  });

  test('tickbus monitor serves its page', { timeout: SLOW_MS }, async () => {
    const monitor = spawn(join(project, 'node_modules/.bin/tickbus'), ['monitor', '--port', '0'], {
      cwd: project,
      env: { PATH: process.env.PATH, ...env() },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const exit = once(monitor, 'exit');
    const [url] = (await once(createInterface(monitor.stdout), 'line')) as [string];
    const page = await (await fetch(url)).text();
    const [, script = ''] = /src="(\/assets\/[^"]+\.js)"/.exec(page) ?? [];
    expect((await fetch(new URL(script, url))).headers.get('content-type')).toContain('javascript');
    monitor.kill('SIGINT');
    expect(await exit).toEqual([130, null]);
  });

  test(
    'a module in TypeScript is loaded where Node.js can, else the error says what to do',
    async () => {
      await writeFile(join(project, 'channels.ts'), `${CHANNELS_MODULE}export const size: number = 5;\n`);
      const pub = (variables: Readonly<Record<string, string>>) =>
        run(
          { cwd: project, env: { ...env(), TICKBUS_CHANNELS: './channels.ts', ...variables } },
          join(project, 'node_modules/.bin/tickbus'),
          ...['pub', 'FILLS', '{"order":"o-2","quantity":1}'],
        ).catch(String);
      const stripsTypes = (process.features as { typescript?: string | false }).typescript;
      expect(await pub({})).toMatch(
        stripsTypes
          ? /"channel":"FILLS",.*"seq":/
          : /\(64\):\n.*channels\.ts, .* Node\.js \S+ does not load TypeScript\. Use Node\.js 22\.18 or newer, /,
      );
      const loader = import.meta.resolve('tsx');
      expect(await pub({ NODE_OPTIONS: `--import ${loader}` })).toMatch(/"channel":"FILLS",.*"seq":/);
    },
    SLOW_MS,
  );

  test('without the command, the library says what to install', { timeout: SLOW_MS }, async () => {
    const alone = run(
      { cwd: setup().consumer },
      join(setup().consumer, 'node_modules/.bin/tickbus'),
      'status',
    );
    await expect(alone).rejects.toThrow(/\(1\):\ntickbus: .* npm install -D @tickbus\/cli/);
    // As with pnpm: the library does not see the command, the project does.
    const launcher = join(setup().consumer, 'node_modules/.bin/tickbus');
    expect(await run({ cwd: project }, launcher, '--version')).toBe('0.1.0\n');
  });
}
