import type { ProgramFact } from '@tickbus/operator-kit/bot-programs';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../check-formats.ts';
import { checkBot, checkFeed, checkGateway, checkLatency, combinedResult } from '../checks.ts';
import type { StoredValue } from '../stored-values.ts';
import { call, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
const stored = (data: Record<string, unknown>, ageMs: number): StoredValue => ({
  key: 'k',
  ageMs,
  envelope: { message_type: 'x', data, timestamp: 0, sender: 's' },
});

describe('as a process', () => {
  it('reports in one line whether Redis is reachable', async () => {
    const there = await tickbus(['check', 'redis', '--warn', '20s', '--critical', '30s'], { env: env() });
    expect(there).toMatchObject({ code: 0, stderr: '' });
    expect(there.stdout).toMatch(/^OK: Redis replies in [\d.]+ m?s\.\n$/);
    const gone = await tickbus(['check', 'redis', '--url', 'redis://127.0.0.1:1', '--format', 'nagios']);
    expect(gone).toMatchObject({ code: 2, stderr: '' });
    expect(gone.stdout).toMatch(
      /^REDIS CRITICAL - Cannot connect to Redis at redis:\/\/127\.0\.0\.1:1: [^\n]+\n$/,
    );
  });
});

describe('check', () => {
  const publish = (channel: string, data: object) =>
    call(['pub', channel, JSON.stringify(data), '-q'], { env: env() });

  it('is critical without a status, and unknown without Redis', async () => {
    for (const subject of [['gateway'], ['feed'], ['bot', 'nobody']]) {
      const never = await call(['check', ...subject], { env: env() });
      expect(never).toMatchObject({
        code: 2,
        stderr: '',
        stdout: expect.stringMatching(/^CRITICAL: No status (of \w+ )?on \w+\.\n$/),
      });
      const unknown = await call(['check', ...subject, '--url', 'redis://127.0.0.1:1']);
      expect(unknown.code).toBe(3);
      expect(unknown.stdout).toMatch(/^UNKNOWN: Cannot connect to Redis/);
    }
  });

  it('judges the age of the newest message of a channel', async () => {
    const check = (...args: string[]) => call(['check', 'channel', ...args], { env: env() });
    expect(await check('AUDIT')).toMatchObject({
      code: 2,
      stdout: 'CRITICAL: No message is stored on AUDIT.\n',
    });
    await publish('AUDIT', { actor: 'a', tool: 'cli', action: 'publish', outcome: 'sent' });
    expect((await check('AUDIT')).stdout).toMatch(
      /^OK: The newest message on AUDIT was published [\d.]+ \w+ ago\.\n$/,
    );
    expect((await check('AUDIT', '--critical', '1h')).code).toBe(0);
    await expect
      .poll(async () => (await check('AUDIT', '--critical', '1ms')).code, { timeout: 60_000 })
      .toBe(2);
    for (const [name, reason] of [
      ['TRADE_COMMANDS', 'stores no messages'],
      ['AUDITS', 'Did you mean AUDIT?'],
    ] as const)
      expect(await check(name)).toMatchObject({ code: 64, stderr: expect.stringContaining(reason) });
  });

  it('distinguishes gateway, feed and single bots', async () => {
    await publish('FEED_STATUS', {
      feed: 'alpaca',
      state: 'down',
      detail: 'The broker is away.',
      interval_ms: 600_000,
    });
    await publish('BOT_STATUS', { bot: 'b1', state: 'running', status_interval_ms: 600_000 });
    await publish('BOT_STATUS', {
      bot: 'b2',
      state: 'error',
      detail: 'It broke.',
      status_interval_ms: 600_000,
    });
    const results = await Promise.all(
      [['gateway'], ['feed', 'alpaca'], ['feed', 'other'], ['bot', 'b1'], ['bot', 'b2']].map((subject) =>
        call(['check', ...subject], { env: env() }),
      ),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 2, 2, 0, 2]);
    expect(results[0]?.stdout).toMatch(/^OK: The gateway of alpaca reported [\d.]+ m?s ago\.\n$/);
    expect(results[1]?.stdout).toBe('CRITICAL: alpaca is down: The broker is away.\n');
    expect(results[2]?.stdout).toBe('CRITICAL: No status of other on FEED_STATUS.\n');
    expect(results[4]?.stdout).toMatch(/^CRITICAL: b2 reported error \(It broke\) [\d.]+ m?s ago\.\n$/);
    const late = await call(['check', 'bot', 'b1', '--warn', '1ms', '--critical', '1h'], { env: env() });
    expect(late).toMatchObject({ code: 1, stdout: expect.stringMatching(/^WARNING: b1 reported running/) });
    const unnamed = await call(['check', 'bot'], { env: env() });
    expect(unnamed.stderr).toContain('as in: tickbus check bot momentum. These have reported: b1, b2');
  });

  it.each([
    [['check'], /missing required argument 'subject'/],
    [['check', 'weather'], /Allowed choices are redis, feed, gateway, bot/],
    [['check', 'bot'], /Name the bot/],
    [['check', 'redis', 'one'], /Omit the name/],
    [['check', 'redis', '--warn', '2s', '--critical', '1s'], /--warn is above --critical/],
    [['check', 'redis', '--format', 'xml'], /Allowed choices are text, json, prometheus, nagios/],
  ])('rejects %j with exit code 64', async (args, sentence) => {
    const { code, stdout, stderr } = await call(args, { env: env() });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});

describe('thresholds', () => {
  it('compare a latency with its limits', () => {
    expect(checkLatency(99, {}).status).toBe('ok');
    expect(checkLatency(101, {}).status).toBe('warning');
    expect(checkLatency(1_001, {}).status).toBe('critical');
    expect(checkLatency(50, { criticalMs: 40 }).status).toBe('critical');
    expect(checkLatency(5_000, { warnMs: 6_000 }).status).toBe('ok');
  });

  it('compare the age of a gateway status with its heartbeat interval', () => {
    const status = { feed: 'f', state: 'down', interval_ms: 100, holder: 'host-1' };
    expect(checkGateway(stored(status, 299), {})).toMatchObject({
      status: 'ok',
      summary: 'The gateway of f (host-1) reported 299 ms ago',
    });
    expect(checkGateway(stored(status, 301), {}).status).toBe('warning');
    expect(checkGateway(stored(status, 1_001), {}).status).toBe('critical');
    expect(checkGateway(stored({ ...status, state: 'stopped' }, 0), {}).status).toBe('critical');
    expect(checkGateway(stored({ feed: 7 }, 0), {})).toMatchObject({ status: 'unknown' });
  });

  it('combine state and silence of a feed; without its gateway the feed is unknown', () => {
    const live = { feed: 'f', state: 'live', interval_ms: 1_000, last_frame_ago_ms: 14_000 };
    expect(checkFeed(stored(live, 900), {})).toMatchObject({
      status: 'ok',
      summary: 'f is live, last frame 14.9 s ago',
    });
    expect(checkFeed(stored(live, 1_100), {}).status).toBe('warning');
    expect(checkFeed(stored({ ...live, last_frame_ago_ms: 60_001 }, 0), {}).status).toBe('critical');
    expect(checkFeed(stored({ ...live, last_frame_ago_ms: 60_001 }, 0), { criticalMs: 90_000 }).status).toBe(
      'warning',
    );
    expect(checkFeed(stored({ ...live, state: 'silent' }, 0), {}).status).toBe('warning');
    expect(checkFeed(stored({ ...live, state: 'down' }, 0), {}).status).toBe('critical');
    const { last_frame_ago_ms: _, ...withoutFrames } = live;
    expect(checkFeed(stored(withoutFrames, 2_999), {}).status).toBe('ok');
    expect(checkFeed(stored({ ...withoutFrames, holder: 'host-1' }, 4_000), {})).toMatchObject({
      status: 'warning',
      summary: 'f was live, but its gateway (host-1) has not reported for 4.0 s',
    });
    expect(checkFeed(stored({ ...live, state: 'down' }, 4_000), {}).status).toBe('critical');
    expect(checkFeed(stored(live, 10_001), {})).toEqual({
      status: 'unknown',
      summary: 'The state of f is unknown: its gateway has not reported for 10.0 s',
      metrics: [],
    });
    expect(checkFeed(stored({ ...live, state: 'stopped', holder: 'host-1' }, 0), {}).summary).toBe(
      'The state of f is unknown: its gateway (host-1) is stopped',
    );
  });

  it('combine the state of a bot and the age of its status', () => {
    const status = { bot: 'b', state: 'running', status_interval_ms: 1_000 };
    const of = (state: string, ageMs = 0) => checkBot(stored({ ...status, state }, ageMs), {}).status;
    expect(
      ['running', 'starting', 'paused', 'stopping', 'error', 'stopped'].map((state) => of(state)),
    ).toEqual(['ok', 'ok', 'warning', 'warning', 'critical', 'critical']);
    expect([of('running', 3_001), of('running', 10_001), of('error', 3_001)]).toEqual([
      'warning',
      'critical',
      'critical',
    ]);
  });

  it('do not judge a plain client by its age while nothing keeps its status', () => {
    const of = (state: string, ageMs: number, silenceMs?: number) => {
      const value = stored({ bot: 'b', state, status_interval_ms: 1_000 }, ageMs);
      const plain = { ...value, envelope: { ...value.envelope, adopted: true as const } };
      return checkBot(plain, {}, [], silenceMs);
    };
    expect(of('running', 60_000)).toMatchObject({
      status: 'unknown',
      summary:
        'b cannot be judged: nothing keeps the statuses of plain clients (no gateway, no monitor). ' +
        'b, a plain client, reported running 60.0 s ago',
    });
    const statuses = [of('running', 3_000), of('running', 60_000, 0), of('running', 5_000, 2_000)];
    expect(statuses.map(({ status }) => status)).toEqual(['ok', 'critical', 'ok']);
    // The bot itself has said so.
    expect([of('error', 60_000).status, of('stopped', 60_000).status]).toEqual(['critical', 'critical']);
  });

  it('say that a bot is running only if it is there', () => {
    const status = { bot: 'b', state: 'running', status_interval_ms: 600_000 };
    const of = (more: object, present?: readonly ProgramFact[]) =>
      checkBot(stored({ ...status, ...more }, 0), {}, present);
    const there = [program('mine')];
    expect(of({ instance: 'mine' }, there)).toMatchObject({
      status: 'ok',
      summary: expect.stringMatching(/^b is running, last/),
    });
    expect(of({ instance: 'old' }, there)).toMatchObject({
      status: 'critical',
      summary: expect.stringMatching(/^b is gone: /),
    });
    expect(of({ instance: 'old', state: 'stopped' }, there).summary).toMatch(/^b is stopped, last/);
    const unproved = [of({}, there), of({}), of({ instance: 'mine' })];
    for (const result of unproved)
      expect(result).toMatchObject({ status: 'ok', summary: expect.stringMatching(/^b reported running /) });
  });

  it('warn about several programs of one name, which count by process', () => {
    const status = { bot: 'b', state: 'running', status_interval_ms: 600_000, instance: 'mine' };
    const of = (...present: readonly ProgramFact[]) => checkBot(stored(status, 0), {}, present);
    const silent = { ...program('reader', 3), publishes: [] };
    expect(of(program('mine'), program('second link'), silent).status).toBe('ok');
    expect(of(program('mine'), program('copy', 2))).toMatchObject({
      status: 'warning',
      summary: expect.stringMatching(
        /^2 programs are named b, and each obeys its commands and trades; b is running, last report /,
      ),
    });
  });

  it('report the most severe of several results', () => {
    const of = (status: 'ok' | 'warning' | 'critical' | 'unknown') => ({
      status,
      summary: status,
      metrics: [],
    });
    expect(combinedResult([of('ok'), of('warning')])).toMatchObject({
      status: 'warning',
      summary: 'warning; ok',
    });
    expect(combinedResult([of('warning'), of('unknown')]).status).toBe('unknown');
    expect(combinedResult([of('unknown'), of('critical')]).status).toBe('critical');
  });
});

it('writes each format', () => {
  const metrics = [{ name: 'f_quiet', ms: 1_234.5678, warnMs: 15_000, criticalMs: 60_000 }];
  const result = {
    check: 'feed',
    name: 'f"1',
    status: 'warning',
    summary: 'f is | silent\nnow',
    metrics,
  } as const;
  expect(FORMATS.text(result)).toBe('WARNING: f is | silent now.');
  expect(JSON.parse(FORMATS.json(result))).toEqual({
    check: 'feed',
    name: 'f"1',
    status: 'warning',
    summary: 'f is | silent\\u000anow',
    metrics: { f_quiet: { ms: 1_234.568, warn_ms: 15_000, critical_ms: 60_000 } },
  });
  expect(FORMATS.nagios(result)).toBe('FEED WARNING - f is / silent now | f_quiet=1.234568s;15;60;0');
  expect(FORMATS.prometheus(result).split('\n')).toEqual([
    '# HELP tickbus_check_status 0 ok, 1 warning, 2 critical, 3 unknown.',
    '# TYPE tickbus_check_status gauge',
    'tickbus_check_status{check="feed",name="f\\"1"} 1',
    '# HELP tickbus_check_seconds The measured latency or age.',
    '# TYPE tickbus_check_seconds gauge',
    'tickbus_check_seconds{check="feed",name="f\\"1",metric="f_quiet"} 1.234568',
  ]);
});

describe('text of other programs', () => {
  const ESC = '\u001b';
  const odd = `a"b\\c|d='e;\n${ESC}[31m\u202e`;
  const status = stored({ feed: odd, state: 'live', last_frame_ago_ms: 1, detail: odd.repeat(20) }, 0);
  const result = { ...checkFeed(status, {}), check: 'feed', name: undefined };

  it.each(Object.entries(FORMATS))('leaves no control character in %s', (name, format) => {
    const lines = format(result).split('\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no control character may be left
    for (const line of lines) expect(line).toMatch(/^[^\u0000-\u001f\u202e]{1,3000}$/);
    if (name !== 'prometheus') expect(lines).toHaveLength(1);
  });

  it('cannot add performance data to the Nagios output', () => {
    const line = FORMATS.nagios(result);
    expect(line.split('|')).toHaveLength(2);
    expect(line.split('|')[1]).toMatch(/^ '[^'|=;]+'=\S+s;\S+;\S+;0$/);
  });

  it('cannot end a Prometheus label', () => {
    const samples = FORMATS.prometheus(result)
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    for (const sample of samples) expect(sample).toMatch(/^\w+\{(\w+="([^"\\]|\\[\\"n])*",?)+\} [\d.e-]+$/);
  });

  it('1,000 fake feeds do not hide the one that is down', () => {
    const fakes = Array.from({ length: 1_000 }, (_, index) =>
      stored({ feed: `fake-${index}`, state: 'live', last_frame_ago_ms: 1 }, 0),
    );
    const down = stored({ feed: 'alpaca', state: 'down', last_frame_ago_ms: 99_000 }, 0);
    const combined = combinedResult([...fakes, down].map((value) => checkFeed(value, {})));
    for (const format of Object.values(FORMATS)) {
      const output = format({ ...combined, check: 'feed', name: undefined });
      expect(output).toContain('alpaca');
      expect(output.length).toBeLessThan(12_000);
    }
  });
});

/** A program named b that reports as a bot. */
function program(instance: string, pid = 1): ProgramFact {
  return { name: 'b', instance, host: 'h', pid, subscribes: [], publishes: ['BOT_STATUS'] };
}
