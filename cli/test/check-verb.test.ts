// `tickbus check` on a real server: what it prints, and its exit codes.

import { describe, expect, it } from 'vitest';
import { call, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;

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
