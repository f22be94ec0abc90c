// ManualClock: time moves with `advance` only, and due timers run in order.

import { expect, it } from 'vitest';
import { ManualClock } from '../../runtime/manual-clock.ts';

it('advance moves the wall clock and the monotonic clock', async () => {
  const clock = new ManualClock(1_000);
  expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
  await clock.advance(250);
  expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
});

it('starts in 2026 by default', () => {
  expect(new Date(new ManualClock().now()).toISOString()).toBe('2026-01-01T00:00:00.000Z');
});

it('advance runs due timers in time order, each at its own time, equal times in order of creation', async () => {
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

it('advance runs timers that are set by timers, and lets promises settle between them', async () => {
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

it('a cancelled timer does not run, even if a timer of the same time cancels it', async () => {
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

it('setNow moves the wall clock and no timer', async () => {
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

it('nextTurn waits for a real turn of the event loop', async () => {
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
