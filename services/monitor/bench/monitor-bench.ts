// Measures the monitor at a given load: CPU and memory of the server, frame rate of the page.
//   npm run bench:monitor [-- RATE [INSTRUMENTS [SECONDS]]]   default 20,000 messages/s, 500 instruments, 20 s

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startLocalRedis } from '@tickbus/local-redis';
import type { Page } from 'playwright-core';
import { openBrowser } from './browser.ts';

/** Unit of CPU time in /proc/PID/stat on Linux. */
const TICKS_PER_SECOND = 100;
const WARM_UP_MS = 8_000;
const [rate = 20_000, instruments = 500, seconds = 20] = process.argv.slice(2).map(Number);

const redis = await startLocalRedis();
const env = { ...process.env, REDIS_URL: redis.url, MONITOR_PORT: '0', LOG_LEVEL: 'warn' };
const monitor = start('../main.ts', []);
const url = await firstMatch(monitor, /http:\S+/);
const load = start('load.ts', [String(rate), String(instruments)]);
await firstMatch(load, /publishing/);
await sleep(WARM_UP_MS);
const withoutPage = await measureCost(monitor);
console.log(`server, no page open:  ${withoutPage}`);
const browser = await openBrowser();
try {
  const page = await browser.context.newPage();
  await page.goto(url);
  await sleep(WARM_UP_MS);
  const [withPage, frames] = await Promise.all([measureCost(monitor), measureFrames(page, seconds)]);
  console.log(`server, one page open: ${withPage}`);
  console.log(`page, ${await page.locator('[data-metric="msg/s"] dd').textContent()} msg/s shown: ${frames}`);
} finally {
  const report = firstMatch(load, /\{.*\}/);
  load.kill('SIGTERM');
  console.log(`published: ${await report}`);
  monitor.kill('SIGTERM');
  await once(monitor, 'exit');
  await browser.close();
  await redis.kill();
}

function start(file: string, args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  for (;;) {
    const [chunk] = await once(child.stdout ?? child, 'data');
    const found = pattern.exec(String(chunk))?.[0];
    if (found !== undefined) return found;
  }
}

/** CPU and peak memory of a process over the configured duration. */
async function measureCost({ pid = 0 }: ChildProcess): Promise<string> {
  await sleep(2_000);
  const before = cpuSeconds(pid);
  const began = performance.now();
  let peakMb = 0;
  while (performance.now() - began < seconds * 1_000) {
    await sleep(500);
    peakMb = Math.max(peakMb, residentMb(pid));
  }
  const cores = (cpuSeconds(pid) - before) / ((performance.now() - began) / 1_000);
  return `${cores.toFixed(2)} cores, at most ${peakMb.toFixed(0)} MB`;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // utime and stime, fields 14 and 15 of the line.
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMb(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1_024;
}

/** Frame rate by requestAnimationFrame, and the longest time between two frames. */
async function measureFrames(page: Page, duration: number): Promise<string> {
  const { count, elapsed, longest } = await page.evaluate<{
    count: number;
    elapsed: number;
    longest: number;
  }>(
    `new Promise((resolve) => {
      const began = performance.now();
      let last = began, count = 0, longest = 0;
      const frame = () => {
        const now = performance.now();
        longest = Math.max(longest, now - last);
        last = now;
        count++;
        if (now - began < ${duration * 1_000}) requestAnimationFrame(frame);
        else resolve({ count, elapsed: now - began, longest });
      };
      requestAnimationFrame(frame);
    })`,
  );
  return `${((count * 1_000) / elapsed).toFixed(1)} frames per second, the longest took ${longest.toFixed(0)} ms`;
}
