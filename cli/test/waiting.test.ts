// unlessAborted: work, a signal, and the grace period after it.

import { describe, expect, it } from 'vitest';
import { unlessAborted } from '../waiting.ts';

const REASON = new Error('the end');
const never = () => new Promise<never>(() => {});

describe.each([0, 5])('with a grace period of %i ms', (graceMs) => {
  it('settles as the work does, without a signal', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve('done'), signal, graceMs)).toBe('done');
    await expect(unlessAborted(Promise.reject(new Error('failed')), signal, graceMs)).rejects.toThrow(
      'failed',
    );
  });

  it('rejects with the reason of a later or an earlier signal', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(never(), controller.signal, graceMs);
    controller.abort(REASON);
    await expect(waiting).rejects.toBe(REASON);
    await expect(unlessAborted(never(), controller.signal, graceMs)).rejects.toBe(REASON);
  });

  // An unhandled rejection fails the test run.
  it('handles an error of the work after the signal', async () => {
    let fail: (error: Error) => void = () => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    await expect(unlessAborted(work, AbortSignal.abort(REASON), graceMs)).rejects.toBe(REASON);
    fail(new Error('too late'));
  });
});

it('gives the work its grace period, and does not wait longer than the work', async () => {
  const controller = new AbortController();
  const work = new Promise<string>((resolve) =>
    controller.signal.addEventListener('abort', () => setImmediate(resolve, 'cleaned up')),
  );
  const waiting = unlessAborted(work, controller.signal, 2 ** 30);
  controller.abort(REASON);
  expect(await waiting).toBe('cleaned up');
});
