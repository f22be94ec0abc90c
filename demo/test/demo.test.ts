// The demo as a process, on every transport.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

// Each test starts up to three programs, which is slow on a busy machine. Three tests run at a time, because a demo
// mostly waits.
vi.setConfig({ testTimeout: 90_000, maxConcurrency: 3 });

type Command = readonly [string, ...string[]];
const MAIN = new URL('../main.ts', import.meta.url);
const BUNDLED: Command = [process.execPath, await bundledProgram(MAIN)];
/** The gateways that the demo starts as processes are TypeScript. */
const TYPESCRIPT: Command = [process.execPath, '--import', 'tsx', fileURLToPath(MAIN)];
const captures = new URL('../../../shared/data/', import.meta.url);

let redis: LocalRedis;
const running = new Set<ChildProcess>();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(async () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  await redis.kill();
});

it.concurrent.each([
  ['two processes, one of which is killed', process.env.PATH, /^(redis|valkey)-server$/, TYPESCRIPT],
  ['memory, without Redis', '', /^memory$/, BUNDLED],
])('shows a kill and a takeover on %s, and exits', async (_, PATH, transport, command) => {
  const { code, output, summary } = await demo(['--failover', '--json'], { PATH }, undefined, command);
  expect(code).toBe(0);
  expect(summary).toMatchObject({
    transport: expect.stringMatching(transport),
    broker_connections: 2,
    lost: 0,
    accepted_from_old_holder: 0,
    max_broker_connections: 1,
  });
  // Twice the length of a lease.
  expect(summary.takeover_ms).toBeLessThan(6_000);
  expect(output).toMatch(/ was killed\n[\s\S]* took over after \d/);
});

describe.concurrent('prints a complete JSON summary at the end', () => {
  it('after --seconds, on a private redis-server', async () => {
    const { code, summary } = await demo(['--seconds', '8', '--json'], {});
    expect(code).toBe(0);
    expectSummary(summary);
    expect(summary.transport).toMatch(/^(redis|valkey)-server$/);
    expect(summary.seconds).toBeGreaterThanOrEqual(8);
  });

  it.each([
    ['memory, without a server', () => ({ PATH: '' }), 'memory'],
    ['the Redis of REDIS_URL', () => ({ PATH: '', REDIS_URL: redis.url }), 'redis'],
  ])('on %s, and shows the system on its monitor, whose address it prints', async (_, env, transport) => {
    let page = '';
    let stream = '';
    const inspect = async (child: ChildProcess, output: string) => {
      const url = /^monitor: (http:\/\/127\.0\.0\.1:\d+)$/m.exec(output)?.[1];
      page = await (await fetch(`${url}/`)).text();
      const response = await fetch(`${url}/api/stream`);
      const { value } = (await response.body?.getReader().read()) ?? {};
      stream = new TextDecoder().decode(value);
      interrupt(child);
    };
    const { code, summary } = await demo(['--json'], env(), inspect);
    expect(code).toBe(0);
    expectSummary(summary);
    expect(summary.transport).toBe(transport);
    expect(page).toContain('<title>tickbus</title>');
    expect(stream).toMatch(/^event: snapshot\n/);
    for (const bot of ['momentum', 'paper-trader', 'risk-guard']) expect(stream).toContain(`"bot":"${bot}"`);
  });

  it
    .skipIf(!existsSync(captures))
    .each(['coinbase-2021-04-17.jsonl.gz', 'binance-futures-2021-07-22.jsonl.gz'])(
    'with the recorded session %s (skipped without ../shared/data)',
    async (name) => {
      const capture = fileURLToPath(new URL(name, captures));
      const args = ['--json', '--capture', capture, '--speed', '10'];
      const { code, summary } = await demo(args, {}, interrupt);
      expect(code).toBe(0);
      expectSummary(summary);
    },
  );

  it('on Ctrl-C, which npm receives too', async () => {
    const npm = ['npm', 'run', '--silent', 'demo', '--'] as const;
    const { code, summary } = await demo(['--json', '--rate', '500'], {}, interrupt, npm);
    expect(code).toBe(0);
    expectSummary(summary);
  });
});

// One after the other: beside the demos above they would delay them.
describe('reports an invalid setting in one sentence', () => {
  it.each([
    [['--seconds', 'x'], /--seconds.*Use a number above 0/],
    [['--speed', '-1'], /--speed.*Use a number above 0/],
    [['--capture', 'no-such-file.jsonl'], /--capture.*No such file/],
    [['--capture', fileURLToPath(import.meta.url)], /demo\.test\.ts/],
    [['--cluster', '--failover'], /--cluster.*cannot be used with.*--failover/],
    [['--frobnicate'], /unknown option '--frobnicate'/],
  ])('%j', async (args, sentence) => {
    const { code, errors } = await demo(args, { PATH: '' });
    expect(code).toBe(1);
    expect(errors).toMatch(sentence);
    expect(errors).not.toMatch(/\n\s+at /);
  });

  it('--cluster without a Redis server', async () => {
    const { code, output, errors } = await demo(['--cluster'], { PATH: '' });
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(errors).toMatch(/^The demo did not start: --cluster needs redis-server .*without --cluster\.\n$/);
  });

  it('--cluster with a server that knows no clusters', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tickbus-demo-'));
    const refusal =
      '#!/bin/sh\ncase "$*" in *cluster*) echo "Bad directive: cluster-enabled"; exit 1;; esac\nexit 0\n';
    await writeFile(join(folder, 'redis-server'), refusal, { mode: 0o755 });
    const { code, errors } = await demo(['--cluster'], { PATH: `${folder}:/bin:/usr/bin` });
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(errors).toMatch(/^The demo did not start: .* needs Redis 7 or newer.*\n.*Bad directive/);
    expect(errors).not.toMatch(/\n\s+at /);
  });

  it('an unreachable REDIS_URL', async () => {
    const { code, errors } = await demo([], { REDIS_URL: 'redis://:hunter2@127.0.0.1:1' });
    expect(code).toBe(1);
    expect(errors).toContain('Cannot connect to Redis at redis://127.0.0.1:1');
    expect(errors).not.toContain('hunter2');
  });
});

// Alone, because seven servers and the demo keep the machine busy.
it('shows on a private cluster that prices go on when their node is killed, and exits', async () => {
  const { code, output, errors, summary } = await demo(['--cluster', '--json'], {
    REDIS_URL: 'redis://unused',
  });
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(summary).toMatchObject({ transport: 'cluster', lost_silently: 0 });
  expect(summary.gaps).toBeGreaterThanOrEqual(1);
  expect(summary.node_down_ms).toBeGreaterThan(0);
  // Two node timeouts of 1 s and 3 s, and at most two leases of 1.5 s if the gateway lost its own meanwhile.
  expect(summary.node_down_ms).toBeLessThan(8_000);
  expect(output).toMatch(/ on port (\d+) was killed\n[\s\S]* go on after \d.* s, from port (?!\1)\d+\n/);
});

/** Signals the whole process group, like Ctrl-C in a terminal. */
function interrupt({ pid = 0 }: ChildProcess): void {
  process.kill(-pid, 'SIGINT');
}

function expectSummary(summary: Record<string, unknown>): void {
  expect(summary).toMatchObject({ broker_connections: 1, lost: 0, commands: expect.any(Number) });
  expect(summary.broker_refused).toBeGreaterThanOrEqual(1);
  expect(summary.published).toBeGreaterThan(0);
  for (const bot of ['momentum', 'paper-trader', 'risk-guard']) {
    const [delivered, conflated] = [summary.delivered, summary.conflated].map(
      (by) => (by as Record<string, number>)[bot] ?? 0,
    );
    expect(delivered).toBeGreaterThan(0);
    expect((delivered ?? 0) + (conflated ?? 0)).toBe(summary.published);
  }
  expect(summary.p50_ms).toBeGreaterThan(0);
  expect(summary.p99_ms).toBeGreaterThanOrEqual(Number(summary.p50_ms));
}

const READY = [/ 1 refused .*momentum [1-9]/, /^monitor: http.*\n/m];

/** Runs the demo until it exits. Calls `onReady` when the output shows all of `READY`. */
async function demo(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onReady?: (child: ChildProcess, output: string) => void,
  [command, ...before]: Command = BUNDLED,
) {
  // A separate process group, as in a terminal.
  const child = spawn(command, [...before, ...args], {
    env: { ...process.env, REDIS_URL: '', ...env },
    detached: true,
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  let output = '';
  let errors = '';
  let isReady = false;
  child.stdout.on('data', (chunk) => {
    output += chunk;
    if (isReady || !READY.every((line) => line.test(output))) return;
    isReady = true;
    onReady?.(child, output);
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const last = output.trim().split('\n').at(-1) ?? '';
  const summary: Record<string, unknown> = last.startsWith('{') ? JSON.parse(last) : {};
  return { code, output, errors, summary };
}
