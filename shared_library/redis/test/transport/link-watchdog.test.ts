import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LinkWatchdog } from '../../transport/redis/link-watchdog.ts';
import { backoffMs } from '../../transport/redis/reconnect-backoff.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(ping: () => Promise<unknown>) {
  const silences: number[] = [];
  const watchdog = new LinkWatchdog({ ping, onStale: (silentForMs) => silences.push(silentForMs) });
  return { watchdog, silences };
}

const never = () => new Promise<never>(() => {});

it('LinkWatchdog reports no stale link while pings are answered', async () => {
  const ping = vi.fn(async () => {});
  const { silences } = watch(ping);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(silences).toEqual([]);
  expect(ping.mock.calls.length).toBeGreaterThan(100);
});

it('LinkWatchdog reports a silent link once, within 3.25 s', async () => {
  let answers = true;
  const { silences } = watch(() => (answers ? Promise.resolve() : never()));
  await vi.advanceTimersByTimeAsync(10_000);
  answers = false;
  await vi.advanceTimersByTimeAsync(3_250);
  expect(silences.length).toBe(1);
  expect(silences[0]).toBeGreaterThanOrEqual(2_500);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(silences.length).toBe(1);
});

it('LinkWatchdog accepts messages as a sign of life, but not forever', async () => {
  const { watchdog, silences } = watch(never);
  for (let i = 0; i < 20; i++) {
    await vi.advanceTimersByTimeAsync(400);
    watchdog.recordActivity();
  }
  expect(silences).toEqual([]);
  for (let i = 0; i < 10; i++) {
    await vi.advanceTimersByTimeAsync(400);
    watchdog.recordActivity();
  }
  expect(silences.length).toBe(1);
});

it('LinkWatchdog reports nothing if a ping fails, or after stop()', async () => {
  const { watchdog, silences } = watch(() => Promise.reject(new Error('gone')));
  await vi.advanceTimersByTimeAsync(1_000);
  watchdog.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(silences).toEqual([]);
});

it('backoffMs is 0 for the first attempt, then doubles from 50 to 800 ms, with jitter in the upper half', () => {
  const longest = Array.from({ length: 8 }, (_, index) => backoffMs(index + 1, () => 1));
  const shortest = Array.from({ length: 8 }, (_, index) => backoffMs(index + 1, () => 0));
  expect(longest).toEqual([0, 50, 100, 200, 400, 800, 800, 800]);
  expect(shortest).toEqual([0, 25, 50, 100, 200, 400, 400, 400]);
  expect(backoffMs(1_000_000, () => 1)).toBe(800);
});
