// systemClock: the real time.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/system-clock.ts';

it('now returns the Unix time, and monotonic never goes back', () => {
  const before = Date.now();
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  const times = Array.from({ length: 100 }, () => systemClock.monotonic());
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

it('after calls back once the time has passed', async () => {
  const start = performance.now();
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  // A timer of Node may fire up to a millisecond early.
  expect(performance.now() - start).toBeGreaterThanOrEqual(19);
});

it('after does not call back once it is cancelled', async () => {
  const called: string[] = [];
  const cancel = systemClock.after(1, () => called.push('cancelled'));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  expect(called).toEqual([]);
});

it('nextTurn calls back after all ready callbacks', async () => {
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
  'after does not call back at once for %s ms, beyond the limit of a Node timer',
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

it('after keeps no process alive', async () => {
  const module = fileURLToPath(new URL('../../runtime/system-clock.ts', import.meta.url));
  const code = `const { systemClock } = await import(${JSON.stringify(module)}); systemClock.after(60_000, () => {});`;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    timeout: 20_000,
  });
});
