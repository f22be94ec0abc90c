// `--namespace` and TICKBUS_NAMESPACE: every verb stays within its namespace. `doctor` names it, and checks databases.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalRedis } from '@tickbus/local-redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorFinding } from '../diagnosis/finding.ts';
import { call, jsonLines, startTickbus, withServer } from './harness.ts';

const server = withServer();
const PAPER = ['--namespace', 'paper'];
const priceOf = (symbol: string) => JSON.stringify({ symbol, price: 1, timestamp: 0 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickbus-namespace-'));
});
afterAll(() => rm(folder, { recursive: true }));

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  call(args, { env: { ...server.env(), ...env } });

async function rowsOf(args: readonly string[], env?: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await run(args, env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return jsonLines(stdout);
}

describe('verbs', () => {
  it('pub, sub --snapshot, price, bots and check see their own namespace only', async () => {
    for (const [flags, desk] of [
      [[], 'BARE'],
      [PAPER, 'PAPER'],
    ] as const) {
      expect((await run([...flags, 'pub', 'PRICE_DATA', priceOf(desk), '-q'])).code).toBe(0);
      const bot = JSON.stringify({ bot: desk, state: 'running' });
      expect((await run([...flags, 'pub', 'BOT_STATUS', bot, '-q'])).code).toBe(0);
    }
    const symbols = async (flags: readonly string[], env?: Readonly<Record<string, string>>) =>
      (await rowsOf([...flags, 'sub', 'PRICE_DATA', '--snapshot'], env)).map(({ data }) => data);
    expect(await symbols([])).toMatchObject([{ symbol: 'BARE' }]);
    expect(await symbols(PAPER)).toMatchObject([{ symbol: 'PAPER' }]);
    expect(await symbols([], { TICKBUS_NAMESPACE: 'paper' })).toMatchObject([{ symbol: 'PAPER' }]);
    const live = ['--namespace', 'live', 'sub', 'PRICE_DATA', '--snapshot'];
    expect(await run(live, { TICKBUS_NAMESPACE: 'paper' })).toMatchObject({ code: 0, stdout: '' });
    expect(await rowsOf([...PAPER, 'bots', '--json'])).toMatchObject([{ bot: 'PAPER' }]);
    const prices = await run([...PAPER, 'price', 'PAPER', 'BARE', '--json']);
    expect(jsonLines(prices.stdout)).toMatchObject([
      { symbol: 'PAPER', data: { price: 1 } },
      { symbol: 'BARE', data: null },
    ]);
    expect((await run([...PAPER, 'check', 'bot', 'PAPER'])).code).toBe(0);
    expect((await run([...PAPER, 'check', 'bot', 'BARE'])).code).toBe(2);
  });

  it('sub and cmd hear and command their own namespace only', async () => {
    const env = server.env();
    const [bare, paper] = [[], PAPER].map((flags) =>
      startTickbus([...flags, 'sub', 'TRADE_COMMANDS', '-n', '1', '-v'], { env }),
    );
    await Promise.all([bare?.err(/Listening/), paper?.err(/Listening/)]);
    const sent = await run([...PAPER, 'cmd', 'b', 'pause', '--yes']);
    expect(sent.code).toBe(0);
    expect(jsonLines((await paper?.ended)?.stdout ?? '')).toMatchObject([{ channel: 'TRADE_COMMANDS' }]);
    expect((await run(['cmd', 'other', 'pause', '--yes'])).code).toBe(0);
    expect(jsonLines((await bare?.ended)?.stdout ?? '')).toMatchObject([{ data: { bot: 'other' } }]);
    expect(await rowsOf([...PAPER, 'sub', 'AUDIT', '--snapshot'])).toMatchObject([{ data: { bot: 'b' } }]);
  });

  it('top lists the channels of the namespace, by their names without it', async () => {
    const env = server.env();
    const sub = startTickbus([...PAPER, 'sub', 'MINE', '-v'], { env });
    await sub.err(/Listening/);
    const top = ['top', '--once', '--json', '-i', '50ms'];
    const rows = await rowsOf([...PAPER, ...top]);
    expect(rows.find(({ channel }) => channel === 'MINE')).toMatchObject({ subscribers: 1 });
    expect(rows.filter(({ channel }) => String(channel).includes(':'))).toEqual([]);
    expect((await rowsOf(top)).find(({ channel }) => channel === 'paper:MINE')).toMatchObject({
      subscribers: 1,
    });
    sub.signal('SIGTERM');
    await sub.ended;
  });

  it('replay publishes what record wrote into another namespace', async () => {
    const file = join(folder, 'session.jsonl');
    const frame = { message_type: 'price', data: JSON.parse(priceOf('R')), timestamp: 0, sender: 's' };
    await writeFile(file, `${JSON.stringify({ at: 0, dir: 'in', channel: 'PRICE_DATA', frame })}\n`);
    expect((await run(['--namespace', 'replayed', 'replay', file, '-q'])).code).toBe(0);
    const rows = await rowsOf(['--namespace', 'replayed', 'sub', 'PRICE_DATA', '--snapshot']);
    expect(rows).toMatchObject([{ channel: 'PRICE_DATA', data: { symbol: 'R' } }]);
  });

  it.each([
    [['--namespace', ''], {}, /--namespace is empty/],
    [['--namespace', 'a b'], {}, /--namespace contains a character that a namespace cannot have/],
    [['--namespace', '{a}'], {}, /--namespace contains a brace/],
    [['--namespace', 'a:b'], {}, /--namespace contains a colon/],
    [[], { TICKBUS_NAMESPACE: 'a b' }, /TICKBUS_NAMESPACE contains a character/],
  ])('refuses %j %j', async (flags, env, sentence) => {
    for (const verb of [['config'], ['sub'], ['doctor'], ['pub', 'PRICE_DATA', priceOf('A')]])
      expect(await run([...flags, ...verb], env as Record<string, string>)).toMatchObject({
        code: 64,
        stdout: '',
        stderr: expect.stringMatching(sentence),
      });
  });

  it('config shows the namespace and its origin', async () => {
    const env = { TICKBUS_NAMESPACE: 'live' };
    const shown = async (...flags: string[]) => {
      const { stdout } = await call([...flags, 'config', '--json'], { env });
      return JSON.parse(stdout).namespace;
    };
    expect(await shown()).toMatchObject({ value: 'live', from: 'environment', by: 'TICKBUS_NAMESPACE' });
    expect(await shown(...PAPER)).toMatchObject({
      value: 'paper',
      from: 'flag',
      by: '--namespace',
      overridden: ['environment'],
    });
  });
});

describe('doctor', () => {
  async function findingsOf(subject: string, url: string, ...flags: string[]): Promise<DoctorFinding[]> {
    const { stdout } = await call([...flags, 'doctor', '--json', '--url', url]);
    const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
    return findings.filter((finding) => finding.subject === subject);
  }

  it('names the namespace, and the rights that it needs', async () => {
    const { url } = server.redis;
    expect(await findingsOf('namespace', url)).toMatchObject([{ level: 'ok', found: /none/ }].map(matching));
    expect(await findingsOf('namespace', url, ...PAPER)).toMatchObject(
      [{ level: 'ok', found: /^paper: PRICE_DATA is the Redis channel paper:PRICE_DATA$/ }].map(matching),
    );
    const rules = 'on >secret resetchannels &PRICE_DATA ~tickbus:{PRICE_DATA}:* +@all';
    await server.redis.answers(`ACL SETUSER bare ${rules}`);
    const bare = url.replace('//', '//bare:secret@');
    expect(await findingsOf('permissions', bare, ...PAPER)).toMatchObject([
      { level: 'fail', advice: expect.stringContaining('&paper:* ~tickbus:{paper:*') },
    ]);
  });

  it('fails if another database uses the same channels, and not if it has other keys or a namespace', async () => {
    await using redis = await startLocalRedis();
    expect(await findingsOf('databases', redis.url)).toEqual([]);
    await redis.answers('SELECT 2', 'SET mine 1');
    expect(await findingsOf('databases', redis.url)).toMatchObject([
      { level: 'ok', found: '0; there are keys in database 2 too, but not of these channels' },
    ]);
    const pub = (url: string, ...flags: string[]) =>
      call([...flags, 'pub', 'PRICE_DATA', priceOf('A'), '-q', '--url', url]);
    expect((await pub(`${redis.url}/1`)).code).toBe(0);
    expect((await pub(redis.url, ...PAPER)).code).toBe(0);
    expect(await findingsOf('databases', redis.url)).toMatchObject([
      {
        level: 'fail',
        found: 'PRICE_DATA is used from database 1, and this program uses database 0',
        advice: expect.stringContaining("redis-cli -n 1 DEL 'tickbus:{PRICE_DATA}:head'"),
      },
    ]);
    expect(await findingsOf('databases', redis.url, ...PAPER)).toMatchObject([{ level: 'ok' }]);
    const refused = await pub(redis.url);
    expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining('is used from database 1') });
    await redis.answers('ACL SETUSER blind on >secret allchannels ~* +@all -select');
    const blind = redis.url.replace('//', '//blind:secret@');
    expect(await findingsOf('databases', blind)).toMatchObject([{ level: 'warn' }]);
  });
});

function matching<T extends { found: RegExp }>(finding: T) {
  return { ...finding, found: expect.stringMatching(finding.found) };
}
