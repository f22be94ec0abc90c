// `tickbus doctor` and `tickbus bots` against real servers with good and bad settings.

import { readFile } from 'node:fs/promises';
import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { CHANNELS } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../diagnosis/diagnose.ts';
import type { DoctorFinding } from '../diagnosis/finding.ts';
import { botVerdictRow } from '../verbs/bots.ts';
import { call, jsonLines, startInTerminal, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;

describe('doctor', () => {
  it('passes a new server, as a process', async () => {
    const { code, stdout, stderr } = await tickbus(['doctor'], { env: env() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ok {4}version {8}(redis|valkey) \d+\.\d+\.\d+$/m);
    expect(stdout).toMatch(/^ok {4}permissions {4}default has every permission that tickbus uses$/m);
    // The only defaults of a new server that doctor suggests to change.
    const suggestions = stdout.match(/^(FAIL|warn).*\n.*/gm)?.join();
    expect(suggestions).toMatch(
      /^warn {2}output buffer {2}Redis disconnects a slow subscriber .* 32 MiB, or 8 MiB for 60 s\n/,
    );
    expect(suggestions).toMatch(/^.*\n.* CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"/);
    expect(stdout.match(/^(?:FAIL|warn) {2}\S+ ?\S*/gm)).toEqual(['warn  output buffer', 'warn  access ']);
  });

  it('accepts the output buffer of docs/production.md, which is its own advice', async () => {
    const page = await readFile(new URL('../../docs/production.md', import.meta.url), 'utf8');
    const limit = /^client-output-buffer-limit (.+)$/m.exec(page)?.[1] ?? '';
    await using small = await startLocalRedis();
    const buffer = async () => {
      const { code, stdout } = await call(['doctor', '--json', '--url', small.url]);
      expect(code).toBe(0);
      const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
      return findings.find(({ subject }) => subject === 'output buffer');
    };
    const cure = `CONFIG SET client-output-buffer-limit "${limit}"`;
    expect(await buffer()).toMatchObject({ level: 'warn', advice: expect.stringContaining(cure) });
    await small.answers(cure);
    expect(await buffer()).toMatchObject({ level: 'ok' });
  });

  it('suggests changes on a badly configured server', async () => {
    const args = ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'];
    await using bad = await startLocalRedis({
      args: [
        ...args,
        '--client-output-buffer-limit',
        'pubsub 1mb 512kb 10',
        '--appendonly',
        'yes',
        '--dir',
        '/tmp',
      ],
    });
    const client = createClient({ url: bad.url });
    await client.connect();
    await client.aclSetUser('reader', [
      'on',
      '>pw',
      'resetchannels',
      '&PRICE_DATA',
      '~tickbus:*',
      '+@all',
      '-publish',
    ]);
    client.destroy();
    const url = bad.url.replace('//', '//reader:pw@');
    const { stdout } = await call(['doctor', '--json', '--url', url]);
    const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
    const of = (subject: string) => findings.filter((finding) => finding.subject === subject);
    expect(of('output buffer')).toMatchObject([
      { level: 'warn', advice: expect.stringContaining('256mb 64mb 60') },
    ]);
    expect(of('memory')).toMatchObject([{ level: 'warn', advice: expect.stringContaining('noeviction') }]);
    expect(of('permissions')).toMatchObject([
      {
        level: 'ok',
        found: expect.stringMatching(
          /reader may use PRICE_DATA; not allowed for this user: .*TRADE_COMMANDS, /,
        ),
      },
      { level: 'warn', found: 'reader may not publish on PRICE_DATA' },
    ]);
  });

  it.each(['gateway', 'bot', 'reader', 'monitor', 'doctor', 'operator'])(
    'passes the user %s of docs/production.md for its own channels',
    async (user) => {
      const page = await readFile(new URL('../../docs/production.md', import.meta.url), 'utf8');
      const rules = new RegExp(`^user ${user} (.+)$`, 'm').exec(page)?.[1] ?? '';
      await using redis = await startLocalRedis();
      const admin = createClient({ url: redis.url });
      await admin.connect();
      await admin.sendCommand(['ACL', 'SETUSER', user, ...(rules.match(/\([^)]*\)|\S+/g) ?? [])]);
      admin.destroy();
      const url = redis.url.replace('//', `//${user}:PASSWORD@`);
      const { code, stdout } = await call(['doctor', '--json', '--url', url]);
      const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
      expect(findings.filter(({ level }) => level === 'fail')).toEqual([]);
      expect(code).toBe(0);
      const [first] = findings.filter(({ subject }) => subject === 'permissions');
      if (user === 'operator') expect(first?.found).toMatch(/ has every permission that tickbus uses$/);
      else if (user !== 'monitor')
        expect(first?.found).toMatch(/may use .*PRICE_DATA.*; not allowed for this user: .*AUDIT/);
    },
  );

  it.each([
    ['no channel', 'resetchannels ~tickbus:* +@all', /none may use no tickbus channel/],
    ['no key of a readable channel', 'allchannels +@all', /none may not read last values on /],
    ['only to publish', 'allchannels ~tickbus:* +@all -subscribe', /none may not subscribe on /],
  ])('fails a user who is allowed %s', async (_, rules, found) => {
    await using redis = await startLocalRedis();
    await redis.answers(`ACL SETUSER none on >pw ${rules}`);
    const { code, stdout } = await call(['doctor', '--json', '--url', redis.url.replace('//', '//none:pw@')]);
    expect(code).toBe(1);
    const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
    expect(findings).toContainEqual(
      expect.objectContaining({ level: 'fail', found: expect.stringMatching(found) }),
    );
  });

  it('reports values that the user may not read as unknown', async () => {
    const client = createClient({ url: server.redis.url });
    await client.connect();
    await client.aclSetUser('deaf', ['on', '>pw', 'allchannels', '+@connection', '+@pubsub', '+time']);
    client.destroy();
    const url = server.redis.url.replace('//', '//deaf:pw@');
    const { code, stdout } = await call(['doctor', '--url', url], { terminal: true });
    expect(code).toBe(1);
    expect(stdout).toMatch(/\?.*version +this user cannot read the version/);
    expect(stdout).toContain('this user may not run scripts');
    expect(stdout).toContain('ACL SETUSER NAME +eval +evalsha');
  });

  it.each([
    [['doctor', '--url', 'redis://127.0.0.1:1'], 1, /Cannot connect to Redis/],
    [['doctor', 'now'], 64, /too many arguments/],
  ])('fails for %j', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await call(args);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(sentence);
  });

  it('grades each reported value', () => {
    const server = {
      product: 'redis',
      version: '6.2.1',
      mode: 'cluster',
      role: 'slave',
      replicas: 2,
      hasBacklog: true,
      patterns: 1,
      uptimeSeconds: 1,
      clients: 90,
      maxClients: 100,
      usedMemoryBytes: 95,
      maxMemoryBytes: 100,
      maxMemoryPolicy: 'noeviction',
      evictedKeys: 0,
      appendOnly: true,
      isSaveFailing: false,
      savePoints: '60 1',
      pubsubBuffer: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      normalBuffer: { hardBytes: 0, softBytes: 20_000, softSeconds: 10 },
      databases: [0],
      user: 'default',
    };
    const clock = { offsetMs: -20_000, errorMs: 1, roundTripsMs: [40, 20, 30] };
    const names = { database: 0, namespace: undefined, otherDatabases: undefined };
    const findings = diagnose({ server, clock, commands: [], permissions: [], channels: [], names });
    expect(findings.map(({ subject, level }) => [subject, level])).toEqual([
      ['version', 'fail'],
      ['role', 'fail'],
      ['batches', 'ok'],
      ['output buffer', 'warn'],
      ['list buffer', 'warn'],
      ['memory', 'warn'],
      ['persistence', 'ok'],
      ['clients', 'warn'],
      ['access', 'warn'],
      ['permissions', 'ok'],
      ['namespace', 'ok'],
      ['clock', 'fail'],
      ['latency', 'warn'],
    ]);
    const full = diagnose({
      server: { ...server, usedMemoryBytes: 100 },
      clock,
      commands: [],
      permissions: [],
      channels: [],
      names,
    });
    expect(full.find(({ subject }) => subject === 'memory')?.level).toBe('fail');
    expect(findings.find(({ subject }) => subject === 'batches')?.found).toBe(
      'per-message delivery because it has or recently had a replica: slower, but correct',
    );
    expect(findings.at(-1)?.found).toBe('median 30 ms (20 ms to 40 ms, 3 samples)');
    for (const { level, advice } of findings) expect(advice === undefined).toBe(level === 'ok');
  });

  it('reports how the lease holder publishes, or how a gateway of this user would', async () => {
    const writers = async (url: string) => {
      const { stdout } = await call(['doctor', '--json', '--url', url]);
      const { findings } = JSON.parse(stdout) as { findings: DoctorFinding[] };
      return findings.filter(({ subject }) => subject === 'writer').map(({ found }) => found);
    };
    await using redis = await startLocalRedis();
    expect(await writers(redis.url)).toEqual([
      expect.stringMatching(/; a gateway of this user .* plain commands/),
    ]);
    await redis.answers('ACL SETUSER narrow on >pw ~* &* +@all -client|kill');
    const narrow = redis.url.replace('//', '//narrow:pw@');
    expect(await writers(narrow)).toEqual([expect.stringMatching(/; a gateway of this user .* CLIENT KILL/)]);
    for (const url of [narrow, redis.url]) {
      await using lease = new RedisLease({
        channel: CHANNELS.PRICE_DATA,
        url,
        ttlMs: 1_500,
        logger: silentLogger,
      });
      const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
      await lease.start();
      await gained;
      const fence = url === narrow ? /with a script that checks its token/ : /fenced by its connection/;
      expect(await writers(redis.url)).toEqual([expect.stringMatching(fence)]);
    }
  });
});

describe('bots', () => {
  const status = (bot: string, state: string, more = {}) =>
    call(['pub', 'BOT_STATUS', JSON.stringify({ bot, state, ...more }), '-q'], { env: env() });

  it('shows each bot with its verdict, as a process, and exits with 3 if one is silent for too long', async () => {
    await status('b1', 'running', {
      status_interval_ms: 3_600_000,
      started_at: Date.now() - 90_000,
      behind: 7,
    });
    await status('b2', 'error', { status_interval_ms: 1, detail: 'It broke.\n\u001b[2J' });
    await status('b3', 'stopped', { status_interval_ms: 1 });
    const { code, stdout, stderr } = await tickbus(['bots'], { env: env() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^BOT +STATE +VERDICT +AGE +UP +BEHIND +DETAIL$/);
    expect(lines[1]).toMatch(/^b1 +running +alive +[\d.]+ m?s +[\d.]+ (s|min) +7$/);
    expect(lines[2]).toMatch(/^b2 +error +overdue +[\d.]+ m?s +- +- +It broke\.\\u000a\\u001b\[2J$/);
    expect(lines[3]).toMatch(/^b3 +stopped +stopped/);
    const json = await call(['bots', '--json', '--max-age', '1ms'], { env: env() });
    expect(json.code).toBe(3);
    expect(jsonLines(json.stdout)).toMatchObject([
      { bot: 'b1', state: 'running', verdict: 'alive', behind: 7 },
      { bot: 'b2', verdict: 'overdue' },
      { bot: 'b3', verdict: 'stopped' },
    ]);
    expect((await call(['bots', '--max-age', '1h'], { env: env() })).code).toBe(0);
  });

  it('redraws a table in place on a terminal, until Ctrl-C', async () => {
    const bots = startInTerminal(['bots', '--watch'], { env: env() });
    await bots.out(/BOT +STATE/);
    await status('b4', 'starting');
    await bots.out(/b4 +starting/);
    bots.type('\x03');
    const { code, stdout } = await bots.ended;
    expect(code).toBe(130);
    // The cursor moves up over the previous view.
    expect(stdout).toMatch(new RegExp(`${String.fromCharCode(27)}\\[\\d+A`));
  });

  it('reports that no bot has a status', async () => {
    await using empty = await startLocalRedis();
    const { code, stdout, stderr } = await call(['bots', '--json', '--url', empty.url]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe('No bot has reported a status yet.\n');
  });

  it('ignores an invalid status, and assumes an interval of 2 s', () => {
    expect(botVerdictRow({ bot: 'x' }, 1)).toBeUndefined();
    expect(botVerdictRow({ bot: 'x', state: 'running' }, 6_000)).toMatchObject({ verdict: 'alive' });
    expect(botVerdictRow({ bot: 'x', state: 'running' }, 6_001)).toMatchObject({ verdict: 'overdue' });
    expect(botVerdictRow({ bot: 'x', state: 'stopped', started_at: 0 }, 60_000)).toMatchObject({
      verdict: 'stopped',
      up_ms: undefined,
    });
  });
});
