// `tickbus config`, `tickbus completion`, --help, option parsers, globs and tables: everything without a server.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { InvalidArgumentError } from 'commander';
import { REDIS_URL_FORMS } from 'tickbus/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { globToRegExp } from '../filters.ts';
import { above0, count, duration, list } from '../option-parsers.ts';
import { VERBS } from '../program.ts';
import { fittingTable, table } from '../table.ts';
import { call } from './harness.ts';

const hasFish = spawnSync('fish', ['--version']).status === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickbus-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function envFile(text: string): Promise<string> {
  const path = join(folder, 'prod.env');
  await writeFile(path, text);
  return path;
}

describe('config', () => {
  it('shows the defaults', async () => {
    const { code, stdout, stderr } = await call(['config']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^SETTING +VALUE +FROM\nredis\.host +127\.0\.0\.1 +default\nredis\.port +6379 +default\n/,
    );
  });

  it('does not name a variable that Kubernetes sets for a service', async () => {
    const { stdout } = await call(['config'], { env: { REDIS_PORT: 'tcp://10.0.0.1:6379' } });
    expect(stdout).toMatch(/^redis\.port +6379 +default$/m);
  });

  it('uses the certificate files with rediss:// only, and ignores them for a plain --url', async () => {
    const env = { REDIS_URL: 'rediss://cache', REDIS_TLS_CA_FILE: '/missing.pem' };
    const { code, stderr } = await call(['doctor'], { env });
    expect([code, stderr]).toEqual([
      expect.any(Number),
      expect.stringMatching(/ca names the file \/missing\.pem/),
    ]);
    expect(code).not.toBe(0);
    expect(await call(['--url', 'redis://cache', 'config'], { env })).toMatchObject({ code: 0 });
    const refused = await call(['config'], { env: { ...env, REDIS_URL: 'redis://cache' } });
    expect(refused.stderr).toMatch(/REDIS_TLS_CA_FILE is set, but the connection would not be encrypted/);
  });

  it('prefers --url to the environment to --env-file, and masks secrets', async () => {
    const file = await envFile(
      'REDIS_URL=redis://:hunter2@file:1\nMONITOR_TOKEN="hunter2"\nREDIS_PORT=7\nMONITOR_PORT=8791\n',
    );
    const env = { REDIS_URL: 'rediss://me:hunter2@env:2/3', REDIS_HOST: 'unused', NO_COLOR: '' };
    const read = async (...args: string[]) => {
      const { code, stdout } = await call([...args, 'config', '--json'], { env });
      expect(code).toBe(0);
      expect(stdout).not.toContain('hunter2');
      return JSON.parse(stdout);
    };
    const byFlag = await read('--url', 'redis://flag:9', '--env-file', file);
    expect(byFlag['redis.host']).toMatchObject({ value: 'flag', from: 'flag', by: '--url' });
    expect(byFlag['redis.host'].overridden).toEqual(['environment', 'env file', 'REDIS_HOST (environment)']);
    const byEnvironment = await read('--env-file', file);
    expect(byEnvironment).toMatchObject({
      'redis.host': { value: 'env', from: 'environment', by: 'REDIS_URL' },
      'redis.db': { value: 3 },
      'redis.user': { value: 'me' },
      'redis.password': { value: '***' },
      'redis.tls': { value: true },
      'monitor.token': { value: '***', from: 'env file', by: 'MONITOR_TOKEN' },
      'monitor.host': { value: '127.0.0.1', from: 'default' },
      'monitor.port': { value: '8791', from: 'env file', by: 'MONITOR_PORT' },
    });
    const { stdout } = await call(['config', '--env-file', file]);
    expect(stdout).toMatch(/redis\.port +1 +env file \(REDIS_URL\), over REDIS_PORT \(env file\)\n/);
  });

  it('shows all hosts of Sentinel or of a cluster, and masks the password of the sentinels', async () => {
    const read = async (url: string) => JSON.parse((await call(['--url', url, 'config', '--json'])).stdout);
    const sentinel = await read('redis+sentinel://me:hunter2@a,b:7/desk/3?sentinel_password=hunter2');
    expect(sentinel).toMatchObject({
      'redis.address': { value: 'redis+sentinel://a:26379,b:7/desk', from: 'flag', by: '--url' },
      'redis.db': { value: 3 },
      'redis.password': { value: '***' },
      'redis.sentinel_user': { value: null },
      'redis.sentinel_password': { value: '***' },
      'redis.tls': { value: false },
    });
    const cluster = await read('rediss+cluster://:hunter2@a,b:7');
    expect(cluster).toMatchObject({
      'redis.address': { value: 'rediss+cluster://a:6379,b:7' },
      'redis.password': { value: '***' },
      'redis.tls': { value: true },
    });
    expect(JSON.stringify([sentinel, cluster])).not.toContain('hunter2');
  });

  it.each([
    [{ REDIS_URL: 'hunter2://x' }, [], /REDIS_URL is not a Redis URL/],
    [{ REDIS_PORT: 'hunter2' }, [], /REDIS_PORT is not a port/],
    [{}, ['--url', 'hunter2'], /--url is not a Redis URL/],
    [{ REDIS_URL: 'redis://hunter2' }, ['--url', ''], /--url is empty/],
  ])('names what cannot be used, %j %j, and does not repeat it', async (env, args, sentence) => {
    const { code, stderr } = await call(['config', ...args], { env: env as Record<string, string> });
    expect(code).toBe(64);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toContain('hunter2');
  });
});

describe('help', () => {
  it('lists every verb on stdout', async () => {
    const { code, stdout, stderr } = await call(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of VERBS) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
  });

  it('lists every form of the address', async () => {
    const { stdout } = await call(['--help']);
    for (const form of REDIS_URL_FORMS.split('\n')) expect(stdout).toContain(`  ${form}\n`);
  });

  it('lists the options of a verb, the global options and examples', async () => {
    for (const { name } of VERBS) {
      const { code, stdout } = await call([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: tickbus ${name}`);
      expect(stdout).toContain('--env-file <file>');
      expect(stdout).toMatch(/Examples:\n {2}\$ .*tickbus /);
    }
  });

  it('goes to stderr after a usage error', async () => {
    expect(await call([])).toMatchObject({
      code: 64,
      stdout: '',
      stderr: expect.stringContaining('Usage: tickbus'),
    });
    const { code, stderr } = await call(['sbu']);
    expect(code).toBe(64);
    expect(stderr).toMatch(/^tickbus: unknown command 'sbu'\n\(Did you mean sub\?\)/);
    expect(await call(['--version'])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });
});

describe('completion', () => {
  /** The completions of bash after these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const { stdout } = await call(['completion', 'bash']);
    const script = join(folder, 'completion.bash');
    await writeFile(script, stdout);
    const print = `printf '%s\\n' "\${COMPREPLY[@]}"`;
    const run = `source ${script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tickbus; ${print}`;
    // Without --norc, bash takes the socket on its stdin for a remote shell, and reads the user's start files.
    const result = await promisify(execFile)('bash', ['--norc', '-c', run, 'bash', 'tickbus', ...words]);
    return result.stdout.split('\n').filter((word) => word !== '');
  }

  it('for bash offers verbs, channels, options and their values', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(VERBS.map(({ name }) => name)));
    expect(await offered('s')).toContain('sub');
    expect(await offered('sub', 'PRICE')).toEqual(['PRICE_DATA']);
    expect(await offered('--url', 'sub', 'pu')).toEqual(['pub']);
    expect(await offered('pub', '--dry')).toEqual(['--dry-run']);
    expect(await offered('completion', 'z')).toEqual(['zsh']);
    expect(await offered('sub', '--env')).toEqual(['--env-file']);
    expect(await offered('sub', '')).toContain('PRICE_DATA');
    expect(await offered('sub', '')).not.toContain('--env-file');
    // The script offers nothing here, so bash completes file names by itself (`complete -o default`).
    for (const words of [
      ['replay', ''],
      ['record', ''],
      ['--env-file', ''],
      ['sub', '--env-file', ''],
    ])
      expect(await offered(...words)).toEqual([]);
    expect(await offered('record', 'a.jsonl', 'PRICE')).toEqual(['PRICE_DATA']);
  });

  it.skipIf(!hasFish)('for fish offers the same (skipped without fish)', async () => {
    const script = join(folder, 'completion.fish');
    await writeFile(script, (await call(['completion', 'fish'])).stdout);
    const offeredBy = async (line: string) => {
      const ask = `source ${script}; complete -C '${line}'`;
      const { stdout } = await promisify(execFile)('fish', ['--no-config', '-c', ask]);
      return stdout.split('\n').map((offer) => offer.split('\t')[0]);
    };
    expect(await offeredBy('tickbus su')).toContain('sub');
    expect(await offeredBy('tickbus --url redis://x to')).toContain('top');
    expect(await offeredBy('tickbus sub PRICE')).toContain('PRICE_DATA');
    expect(await offeredBy('tickbus check feed --format ')).toContain('nagios');
    expect(await offeredBy(`tickbus record ${folder}/completion.f`)).toContain(script);
  });

  it.each(['bash', 'zsh', 'fish'])(
    'for %s has every verb and option, and loads in the shell if installed',
    async (shell) => {
      const { code, stdout, stderr } = await call(['completion', shell]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const { name } of VERBS) expect(stdout).toContain(name);
      expect(stdout).toContain('snapshot');
      if (shell === 'zsh')
        expect(stdout).toMatch(/'\*--env-file\[[^\]]*\]: :_files'.* record\) .*'1: :_files'/s);
      const script = join(folder, `check.${shell}`);
      await writeFile(script, stdout);
      const checked = promisify(execFile)(shell, ['-n', script]);
      await checked.catch((error) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },
  );

  it('rejects another shell as a usage error', async () => {
    const { code, stderr } = await call(['completion', 'tcsh']);
    expect(code).toBe(64);
    expect(stderr).toContain('Allowed choices are bash, zsh, fish');
  });
});

describe('option parsers', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2_000],
    ['2', 2_000],
    ['0.25', 250],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
  ])('%s is a time', (text, ms) => expect(duration(text)).toBe(ms));

  it.each(['', '0', '-1', '1d', 's', '1e3', '1 s', '9999h', 'NaN'])('reject "%s" as a time', (text) =>
    expect(() => duration(text)).toThrow(InvalidArgumentError),
  );

  it('require whole counts, numbers above 0 and lists without empty items', () => {
    expect(count('12')).toBe(12);
    expect(above0('0.5')).toBe(0.5);
    expect(list('a, b', ['c'])).toEqual(['c', 'a', 'b']);
    for (const text of ['0', '-1', '1.5', '', 'x', '99999999999999999999'])
      expect(() => count(text)).toThrow(InvalidArgumentError);
    for (const text of ['0', '-1', '', ' ', 'x', 'Infinity'])
      expect(() => above0(text)).toThrow(InvalidArgumentError);
    expect(() => list('a,,b')).toThrow(InvalidArgumentError);
  });

  it('globs support only * and ?', () => {
    expect(globToRegExp('BTC*').test('BTC-USD')).toBe(true);
    expect(globToRegExp('a?c').test('abc')).toBe(true);
    expect(globToRegExp('a.c').test('abc')).toBe(false);
    expect(globToRegExp('[ab]+(c)|\\d$').test('[ab]+(c)|\\d$')).toBe(true);
    expect(globToRegExp('*').test('two\nlines')).toBe(true);
    expect(globToRegExp('').test('')).toBe(true);
    expect(globToRegExp('BTC').test('BTC-USD')).toBe(false);
  });
});

it('a table aligns columns, with colours too', () => {
  const red = '\x1b[31mred\x1b[39m';
  expect(
    table(
      ['A', 'NUMBER'],
      [
        [red, '1'],
        ['blue', '22'],
      ],
      ['left', 'right'],
    ),
  ).toEqual(['A     NUMBER', `${red}        1`, 'blue      22']);
});

it('a table omits spare columns until it fits', () => {
  const head = ['NAME', 'A', 'BB', 'VERDICT', 'WHY'];
  const at = (width: number) =>
    fittingTable(head, [['x', '1', '2', 'fresh', 'because']], ['left', 'right', 'right'], {
      width,
      spare: [['BB'], ['A', 'NAME']],
      text: 'WHY',
    });
  expect(at(20)).toEqual(['NAME  A  BB  VERDICT  WHY', 'x     1   2  fresh    because']);
  expect(at(19)).toEqual(['NAME  A  VERDICT  WHY', 'x     1  fresh    because']);
  expect(at(15)).toEqual(['VERDICT  WHY', 'fresh    because']);
});
