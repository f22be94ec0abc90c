// The examples of docs/cli.md and of every --help are run as they stand, on a small desk: prices, a gateway's word, two bots.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startMomentumBot } from '@tickbus/sample-bots/momentum';
import { startPaperTrader } from '@tickbus/sample-bots/paper-trader';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT, Interrupted } from '../exit.ts';
import { VERBS } from '../program.ts';
import { call, mainOfCommand, withServer } from './harness.ts';

const server = withServer();
let folder: string;
let desk: { close(): Promise<void> };
beforeAll(async () => {
  desk = await openDesk(server.redis.url);
  folder = await mkdtemp(join(tmpdir(), 'tickbus-examples-'));
  // `tickbus`, and `npx tickbus` as in a clone, and faster.
  const tickbus = `#!/bin/sh\nexec '${process.execPath}' '${mainOfCommand()}' "$@"\n`;
  await writeFile(join(folder, 'tickbus'), tickbus, { mode: 0o755 });
  await writeFile(join(folder, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  await writeFile(join(folder, 'prices.jsonl'), '{"symbol":"AAPL","price":1,"timestamp":0}\n');
  for (const shells of ['.config/fish/completions', '.zfunc'])
    await mkdir(join(folder, shells), { recursive: true });
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(tmpdir());
  await desk.close();
  await rm(folder, { recursive: true });
});

async function openDesk(url: string) {
  const connection = new RedisConnection({ url, logger: silentLogger });
  const publisher = new RedisPublisher({ connection, sender: 'desk' });
  const bots = await Promise.all([
    startMomentumBot({ connection, logger: silentLogger }),
    startPaperTrader({ connection, logger: silentLogger }),
  ]);
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

/** What is written behind the `#`. */
function toldOf(line: string): { isEndless: boolean; code: number } {
  const isEndless = line.includes('until Ctrl-C');
  const [, told] = /# (?:.*[;:] )?exit code (\d+):/.exec(line) ?? [];
  return { isEndless, code: isEndless ? EXIT.interrupted : Number(told ?? EXIT.ok) };
}

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

async function expectEnd(line: string): Promise<void> {
  const { code, stderr } = await pasted(line);
  expect({ code, stderr }).toEqual({ code: toldOf(line).code, stderr: expect.any(String) });
}

function pasted(line: string): Promise<Ended> {
  return /[|<>]/.test(line.replace(/'[^']*'/g, '')) ? inShell(line) : here(line);
}

/** Within this process. What would go on for ever is interrupted once it has said something. */
function here(line: string): Promise<Ended> {
  const [, ...args] = wordsOf(line.replace(/^npx /, ''));
  const controller = new AbortController();
  const interrupt = () => controller.abort(new Interrupted());
  return call(args, {
    env: { REDIS_URL: server.redis.url },
    terminal: true,
    input: 'y\n',
    signal: controller.signal,
    ...(toldOf(line).isEndless && { onOutput: interrupt, onRemark: interrupt }),
  });
}

/** Words and quoted words up to the comment; enough for what the examples need. */
function wordsOf(line: string): string[] {
  const [command = ''] = line.split(/ +# /);
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

/** In a shell of its own, which finds the command under both of its names. */
async function inShell(line: string): Promise<Ended> {
  const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder, REDIS_URL: server.redis.url };
  return new Promise((resolve) => {
    execFile('bash', ['--norc', '-c', line], { cwd: folder, env }, (error, _, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr });
    });
  });
}

describe('the page', async () => {
  const page = await readFile(fileURLToPath(new URL('../../docs/cli.md', import.meta.url)), 'utf8');
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) => block.trim().split('\n'));

  it('has examples', () => expect(lines.length).toBeGreaterThan(15));

  it.each(lines)('%s', async (line) => {
    await expectEnd(line);
  });
});

describe.concurrent('the help', async () => {
  const lines: [line: string][] = [];
  for (const { name } of VERBS) {
    const { stdout } = await call([name, '--help']);
    for (const [, line = ''] of stdout.matchAll(/^ {2}\$ (.*)$/gm)) lines.push([line]);
  }

  it('has examples of every verb', () => expect(lines.length).toBeGreaterThan(2 * VERBS.length));

  it.each(lines.filter(([line]) => !LEFT_OUT.test(line)))('%s', async (line) => {
    await expectEnd(line);
  });
});

/** The monitor's usual port may be taken, and Ctrl-C cannot be sent to a pipe from here. */
const LEFT_OUT = /^tickbus monitor {2}|jq/;
