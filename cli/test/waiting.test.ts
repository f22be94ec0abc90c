// Waiting for work, a signal, and the grace after it.

import { describe, expect, it } from 'vitest';
import { unlessAborted } from '../waiting.ts';

const REASON = new Error('the end');
const never = () => new Promise<never>(() => {});

describe.each([0, 5])('with %i ms of grace', (graceMs) => {
  it('is as the work, where no signal comes', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve('done'), signal, graceMs)).toBe('done');
    await expect(unlessAborted(Promise.reject(new Error('failed')), signal, graceMs)).rejects.toThrow(
      'failed',
    );
  });

  it('rejects with the reason of a signal that comes, and of one that has come', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(never(), controller.signal, graceMs);
    controller.abort(REASON);
    await expect(waiting).rejects.toBe(REASON);
    await expect(unlessAborted(never(), controller.signal, graceMs)).rejects.toBe(REASON);
  });

  // The test run fails where nobody takes the rejection.
  it('takes what the work throws after the signal', async () => {
    let fail: (error: Error) => void = () => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    await expect(unlessAborted(work, AbortSignal.abort(REASON), graceMs)).rejects.toBe(REASON);
    fail(new Error('too late'));
  });
});

it('leaves the work its grace, and does not wait for the end of it', async () => {
  const controller = new AbortController();
  const work = new Promise<string>((resolve) =>
    controller.signal.addEventListener('abort', () => setImmediate(resolve, 'cleaned up')),
  );
  const waiting = unlessAborted(work, controller.signal, 2 ** 30);
  controller.abort(REASON);
  expect(await waiting).toBe('cleaned up');
});
