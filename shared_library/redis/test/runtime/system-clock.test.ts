// The real time, as the port promises it.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/system-clock.ts';

it('now is the Unix time, and monotonic never goes back', () => {
  const before = Date.now();
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  const times = Array.from({ length: 100 }, () => systemClock.monotonic());
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

it('calls back after the time, not before', async () => {
  const start = performance.now();
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  // A timer of Node may be up to a millisecond early.
  expect(performance.now() - start).toBeGreaterThanOrEqual(19);
});

it('does not call back what was cancelled', async () => {
  const called: string[] = [];
  const cancel = systemClock.after(1, () => called.push('cancelled'));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  expect(called).toEqual([]);
});

it('nextTurn comes after what was ready before it', async () => {
  const order: string[] = [];
  const turned = new Promise<void>((resolve) => {
    systemClock.nextTurn(() => {
      order.push('turn');
      resolve();
    });
  });
  await Promise.resolve();
  order.push('promise');
  await turned;
  expect(order).toEqual(['promise', 'turn']);
});

it.each([2 ** 31, 1e12, Number.POSITIVE_INFINITY])(
  'a wait of %s ms, longer than a timer of Node can be, is not over at once',
  async (ms) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    let called = false;
    const cancel = systemClock.after(ms, () => {
      called = true;
    });
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
    cancel();
    expect(called).toBe(false);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  },
);

it('keeps no process alive', async () => {
  const module = fileURLToPath(new URL('../../runtime/system-clock.ts', import.meta.url));
  const code = `const { systemClock } = await import(${JSON.stringify(module)}); systemClock.after(60_000, () => {});`;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    timeout: 20_000,
  });
});
