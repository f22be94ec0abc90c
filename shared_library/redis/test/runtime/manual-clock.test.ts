// The clock of tests: stands still, and on `advance` does everything in its order.

import { expect, it } from 'vitest';
import { ManualClock } from '../../runtime/manual-clock.ts';

it('stands still until it is moved, and moves both times', async () => {
  const clock = new ManualClock(1_000);
  expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
  await clock.advance(250);
  expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
});

it('starts in 2026 unless it is told otherwise', () => {
  expect(new Date(new ManualClock().now()).toISOString()).toBe('2026-01-01T00:00:00.000Z');
});

it('calls what falls due in its order, each at its own time, and what was set first first', async () => {
  const clock = new ManualClock();
  const called: [string, number][] = [];
  const at = (name: string, ms: number) => clock.after(ms, () => called.push([name, clock.monotonic()]));
  at('late', 30);
  at('early', 10);
  at('too late', 31);
  at('early too', 10);
  at('at once', 0);
  await clock.advance(30);
  expect(called).toEqual([
    ['at once', 0],
    ['early', 10],
    ['early too', 10],
    ['late', 30],
  ]);
});

it('calls what is set on the way, and lets promises settle in between', async () => {
  const clock = new ManualClock();
  const called: number[] = [];
  const again = async (): Promise<void> => {
    called.push(clock.monotonic());
    await Promise.resolve();
    clock.after(10, again);
  };
  clock.after(10, again);
  await clock.advance(35);
  expect(called).toEqual([10, 20, 30]);
});

it('does not call what was cancelled, also not by a callback of the same moment', async () => {
  const clock = new ManualClock();
  const called: string[] = [];
  const cancels: (() => void)[] = [];
  clock.after(5, () => {
    called.push('first');
    for (const cancel of cancels) cancel();
  });
  cancels.push(clock.after(5, () => called.push('second')));
  await clock.advance(100);
  expect(called).toEqual(['first']);
});

it('sets the wall clock without moving timers', async () => {
  const clock = new ManualClock(1_000);
  let called = false;
  clock.after(10, () => {
    called = true;
  });
  clock.setNow(5_000_000);
  expect([clock.now(), clock.monotonic(), called]).toEqual([5_000_000, 0, false]);
  await clock.advance(10);
  expect([clock.now(), called]).toEqual([5_000_010, true]);
});

it('has real turns of the event loop', async () => {
  const clock = new ManualClock();
  const order: string[] = [];
  const turned = new Promise<void>((resolve) =>
    clock.nextTurn(() => {
      order.push('turn');
      resolve();
    }),
  );
  order.push('now');
  await turned;
  expect(order).toEqual(['now', 'turn']);
});
