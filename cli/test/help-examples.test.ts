// Runs every example of docs/cli.md and --help unchanged, against prices, feed heartbeats and two bots.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { momentumBot } from '@tickbus/sample-bots/momentum';
import { paperTrader } from '@tickbus/sample-bots/paper-trader';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT, Interrupted } from '../exit.ts';
import { VERBS } from '../program.ts';
import { COMMAND, call, withServer } from './harness.ts';

const server = withServer();
const startFolder = process.cwd();
let folder: string;
let environment: { close(): Promise<void> };
beforeAll(async () => {
  environment = await startEnvironment(server.redis.url);
  folder = await mkdtemp(join(tmpdir(), 'tickbus-examples-'));
  // Fast replacements for `tickbus` and for `npx tickbus` in a clone.
  const tickbus = `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`;
  await writeFile(join(folder, 'tickbus'), tickbus, { mode: 0o755 });
  await writeFile(join(folder, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  await writeFile(join(folder, 'prices.jsonl'), '{"symbol":"AAPL","price":1,"timestamp":0}\n');
  for (const shells of ['.config/fish/completions', '.zfunc'])
    await mkdir(join(folder, shells), { recursive: true });
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(startFolder);
  await environment.close();
  await rm(folder, { recursive: true });
});

async function startEnvironment(url: string) {
  const connection = new RedisConnection({ url, logger: silentLogger });
  const publisher = new RedisPublisher({ connection, sender: 'desk' });
  const bots = [momentumBot, paperTrader].map((define) => define({ connection, logger: silentLogger }));
  await Promise.all(bots.map((bot) => bot.start()));
  const timer = setInterval(() => {
    const now = Date.now();
    for (const symbol of ['AAPL', 'MSFT'])
      publisher.publish(CHANNELS.PRICE_DATA, { symbol, price: 100, timestamp: now }).catch(() => {});
    const heartbeat = {
      feed: 'desk',
      state: 'live',
      interval_ms: 60_000,
      last_frame_ago_ms: 0,
      live_for_ms: 60_000,
    } as const;
    publisher.publish(CHANNELS.FEED_STATUS, heartbeat).catch(() => {});
    const order = { bot: 'paper-trader', symbol: 'AAPL', side: 'buy', quantity: 1 } as const;
    publisher.publish(CHANNELS.TRADE_COMMANDS, order).catch(() => {});
  }, 100);
  return {
    async close() {
      clearInterval(timer);
      await Promise.all(bots.map((bot) => bot.stop()));
      await publisher.close();
      await connection.close();
    },
  };
}

/** Reads the expected end of an example from the comment after `#`. */
function expectedEnd(line: string): { isEndless: boolean; code: number } {
  const isEndless = line.includes('until Ctrl-C');
  const [, exitCode] = /# (?:.*[;:] )?exit code (\d+):/.exec(line) ?? [];
  return { isEndless, code: isEndless ? EXIT.interrupted : Number(exitCode ?? EXIT.ok) };
}

interface ExitResult {
  readonly code: number | null;
  readonly stderr: string;
}

async function expectDocumentedEnd(line: string): Promise<void> {
  const { code, stderr } = await runExample(line);
  // On a busy machine Redis can take more than the 100 ms after which that is a warning.
  if (line.includes('check redis') && code === 1) return;
  expect({ code, stderr }).toEqual({ code: expectedEnd(line).code, stderr: expect.any(String) });
}

function runExample(line: string): Promise<ExitResult> {
  return /[|<>]/.test(line.replace(/'[^']*'/g, '')) ? runInShell(line) : runInProcess(line);
}

/** Runs the example within this process. An endless example is interrupted at its first output. */
function runInProcess(line: string): Promise<ExitResult> {
  const [, ...args] = wordsOf(line.replace(/^npx /, ''));
  const controller = new AbortController();
  const interrupt = () => controller.abort(new Interrupted());
  return call(args, {
    env: { REDIS_URL: server.redis.url },
    terminal: true,
    input: 'y\n',
    signal: controller.signal,
    ...(expectedEnd(line).isEndless && { onOutput: interrupt, onStderr: interrupt }),
  });
}

/** Splits into plain and quoted words, up to the comment. */
function wordsOf(line: string): string[] {
  const [command = ''] = line.split(/ +# /);
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

/** Runs the example in a shell that finds both `tickbus` and `npx`. */
async function runInShell(line: string): Promise<ExitResult> {
  const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder, REDIS_URL: server.redis.url };
  return new Promise((resolve) => {
    execFile('bash', ['--norc', '-c', line], { cwd: folder, env }, (error, _, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr });
    });
  });
}

describe('docs/cli.md', async () => {
  const page = await readFile(fileURLToPath(new URL('../../docs/cli.md', import.meta.url)), 'utf8');
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'));

  it('has examples', () => expect(lines.length).toBeGreaterThan(15));

  it.each(lines)('%s', async (line) => {
    await expectDocumentedEnd(line);
  });
});

describe.concurrent('--help', async () => {
  const lines: [line: string][] = [];
  for (const { name } of VERBS) {
    const { stdout } = await call([name, '--help']);
    for (const [, line = ''] of stdout.matchAll(/^ {2}\$ (.*)$/gm)) lines.push([line]);
  }

  it('has examples of every verb', () => expect(lines.length).toBeGreaterThan(2 * VERBS.length));

  it.each(lines.filter(([line]) => !SKIPPED.test(line)))('%s', async (line) => {
    await expectDocumentedEnd(line);
  });
});

/** The default port of the monitor may be taken; Ctrl-C cannot interrupt a pipeline with jq from here. */
const SKIPPED = /^tickbus monitor {2}|jq/;
