// Every verb as a process: in a pseudo-terminal, with a wrong password, without a server, with a hanging server.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERBS } from '../program.ts';
import {
  type CommandOutput,
  call,
  startInTerminal,
  startTickbus,
  tickbus,
  withoutColours,
  withServer,
} from './harness.ts';

const PRICE = '{"symbol":"AAPL","price":187.5,"timestamp":0}';
const FRAME = `{"message_type":"price","data":${PRICE},"timestamp":0,"sender":"s"}`;
const RECORDED = `{"at":0,"dir":"in","channel":"PRICE_DATA","frame":${FRAME}}`;

const server = withServer({ args: ['--requirepass', 'right'] });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickbus-verbs-'));
  await writeFile(join(folder, 'recorded.jsonl'), `${RECORDED}\n`);
  await writeFile(join(folder, 'slow.jsonl'), `${RECORDED}\n${RECORDED.replace('"at":0', '"at":3600')}\n`);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});
const urlWith = (password: string) => server.redis.url.replace('//', `//:${password}@`);

/** Verbs that exit on their own, with the expected screen. The tests of the other verbs also use a terminal. */
const SCREENS: readonly (readonly [args: readonly string[], code: number, shows: RegExp])[] = [
  [
    ['pub', 'PRICE_DATA', PRICE],
    0,
    /Published on PRICE_DATA: price, 0 receivers, number \d+\.\nwarning: No subscriber/,
  ],
  [['check', 'bot', 'b'], 2, /^CRITICAL: No status of b on BOT_STATUS\.$/m],
  [['status'], 2, /^Cannot tell: no gateway and no bot has reported on this Redis\.$/m],
  [['doctor'], 0, /^ok +version +redis/],
  [['record', 'new.jsonl', '-t', '50ms'], 124, /Recording .*No message arrived in time\./s],
  [['replay', 'recorded.jsonl'], 0, /Replaying recorded\.jsonl\..*Published 1 on PRICE_DATA\./s],
  [['config'], 0, /redis\.password +\*\*\* +environment \(REDIS_URL\)/],
  [['completion', 'bash'], 0, /complete -o default -F _tickbus tickbus/],
];

describe('in a pseudo-terminal', () => {
  it.each(SCREENS)('%j ends with %i', async (args, expected, shows) => {
    const { code, stdout } = await startInTerminal(args, {
      env: { REDIS_URL: urlWith('right') },
      cwd: folder,
    }).ended;
    const screen = withoutColours(stdout).replaceAll('\r\n', '\n');
    expect({ code, screen }).toEqual({ code: expected, screen: expect.stringMatching(shows) });
    expect(screen).not.toContain('right');
  });
});

/** Verbs that no other file interrupts with Ctrl-C, with the screen that is expected before Ctrl-C. */
const UNTIL_CTRL_C: readonly (readonly [args: readonly string[], shows: RegExp])[] = [
  [['bench', '--rate', '10', '--duration', '1h'], /█*░+ 0% {2}[1-9]\d* received/],
  [['pub', 'PRICE_DATA', PRICE, '-n', '2', '-i', '1h'], /Published on PRICE_DATA: price, 0 receivers/],
  [['replay', 'slow.jsonl'], /Replaying slow\.jsonl\. Ctrl-C ends it\./],
];

it.concurrent.each(UNTIL_CTRL_C)('%j ends at Ctrl-C in a pseudo-terminal', async (args, shows) => {
  const running = startInTerminal(args, { env: { REDIS_URL: urlWith('right') }, cwd: folder });
  await running.out(shows);
  running.type('\x03');
  const { code, stdout } = await running.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: expect.not.stringMatching(/tickbus:|Error/) });
});

/** Verbs that need a server, with their exit code without one. */
const CONNECTING: readonly (readonly [args: readonly string[], code: number])[] = [
  [['sub'], 1],
  [['pub', 'PRICE_DATA', PRICE], 1],
  [['price', 'AAPL'], 1],
  [['bots'], 1],
  [['who'], 1],
  [['cmd', 'b', 'pause', '--yes', '--wait'], 1],
  [['top', '--once'], 1],
  [['bench'], 1],
  [['check', 'redis'], 2],
  [['check', 'feed'], 3],
  [['doctor'], 1],
  [['record', 'never.jsonl'], 1],
  [['replay', 'recorded.jsonl'], 1],
];

describe('without a server', () => {
  it('every verb is covered', () => {
    const tested = new Set([...SCREENS, ...CONNECTING].map(([[verb]]) => verb));
    // launcher.test.ts covers the monitor.
    expect([...tested, 'monitor'].sort()).toEqual(VERBS.map(({ name }) => name).sort());
  });

  const files = (args: readonly string[]) =>
    args.map((word) => (word.endsWith('.jsonl') ? join(folder, word) : word));

  it.each(CONNECTING)('%j exits with %i and one sentence: wrong password', async (args, expected) => {
    const result = await call(files(args), { env: { REDIS_URL: urlWith('hunter2') } });
    expectSentence(result, args, expected, /Redis at \S+ refused the connection: /);
  });

  it.each(CONNECTING)('%j exits with %i and one sentence: connection refused', async (args, expected) => {
    const result = await call(files(args), { env: { REDIS_URL: 'redis://127.0.0.1:1' } });
    expectSentence(result, args, expected, /Cannot connect to Redis at redis:\/\/127\.0\.0\.1:1: /);
  });

  // One verb for each way to connect.
  it.each(CONNECTING.filter(([[verb]]) => ['sub', 'pub', 'check', 'doctor'].includes(verb ?? '')))(
    '%j exits with %i and one sentence: wrong password, as a process',
    async (args, expected) => {
      const result = await tickbus(args, { env: { REDIS_URL: urlWith('hunter2') } });
      expectSentence(result, args, expected, /Redis at \S+ refused the connection: /);
    },
  );
});

function expectSentence(
  { code, stdout, stderr }: CommandOutput,
  [verb]: readonly string[],
  expected: number,
  sentence: RegExp,
): void {
  const said = stdout + stderr;
  expect({ code, said }).toEqual({ code: expected, said: expect.stringMatching(sentence) });
  expect(said.match(/\n/g)).toHaveLength(1);
  // Only `check` prints to stdout.
  expect(verb === 'check' ? stderr : stdout).toBe('');
  expect(said).not.toContain('hunter2');
}

it.concurrent.each([[['sub']], [['pub', 'PRICE_DATA', PRICE]], [['top']]])(
  '%j exits on Ctrl-C while the server hangs',
  async (args) => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const running = startTickbus(args, { env: { REDIS_URL: `redis://127.0.0.1:${port}` } });
    const [socket] = await once(server, 'connection');
    running.signal('SIGINT');
    expect(await running.ended).toEqual({ code: 130, stdout: '', stderr: '' });
    socket.destroy();
    server.close();
  },
);
