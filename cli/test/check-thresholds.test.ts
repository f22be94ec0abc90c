// How `tickbus check` judges last values.

import type { ProgramFact } from '@tickbus/operator-kit/bot-programs';
import { describe, expect, it } from 'vitest';
import { checkBot, checkFeed, checkGateway, checkLatency, combinedResult } from '../checks.ts';
import { stored } from './stored-value.fixture.ts';

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

/** A program named b that reports as a bot. */
function program(instance: string, pid = 1): ProgramFact {
  return { name: 'b', instance, host: 'h', pid, subscribes: [], publishes: ['BOT_STATUS'] };
}
