// The pace of a replay, on a simulated clock, and once on the real one.

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type PaceClock, paced } from '../index.ts';

const ITEMS = [{ at: 100 }, { at: 100.5 }, { at: 100.5 }, { at: 103 }];

/** A clock that advances by the time slept. */
class JumpingClock implements PaceClock {
  time = 5_000;
  now(): number {
    return this.time;
  }
  async sleep(ms: number): Promise<void> {
    if (ms >= 2 ** 31) throw new Error(`A timer of Node fires at once when it is set to ${ms} ms.`);
    this.time += ms;
  }
}

async function times(speed: number, work = (_clock: JumpingClock) => {}): Promise<number[]> {
  const clock = new JumpingClock();
  const seen: number[] = [];
  for await (const _item of paced(ITEMS, { speed, clock })) {
    seen.push(clock.time - 5_000);
    work(clock);
  }
  return seen;
}

it('keeps the recorded pauses at speed 1, and scales them at other speeds', async () => {
  expect(await times(1)).toEqual([0, 500, 500, 3_000]);
  expect(await times(10)).toEqual([0, 50, 50, 300]);
  expect(await times(0.5)).toEqual([0, 1_000, 1_000, 6_000]);
});

it('does not pause at speed Infinity', async () => {
  expect(await times(Number.POSITIVE_INFINITY)).toEqual([0, 0, 0, 0]);
});

it('does not drift: overdue items follow immediately, and later items are on time again', async () => {
  const busy = (clock: JumpingClock) => {
    clock.time += 400;
  };
  expect(await times(1, busy)).toEqual([0, 500, 900, 3_000]);
});

it('waits through pauses longer than the maximum timer', async () => {
  const slow = 2 ** -30;
  expect(await times(slow)).toEqual([0, 500 / slow, 500 / slow, 3_000 / slow]);
});

it('yields to the event loop before every item, also at speed Infinity', async () => {
  let turns = 0;
  let replaying = true;
  const counting = (async () => {
    for (; replaying; turns += 1) await setImmediate();
  })();
  const items = Array.from({ length: 100 }, () => ({ at: 1 }));
  for await (const _item of paced(items, { speed: Number.POSITIVE_INFINITY }));
  replaying = false;
  await counting;
  expect(turns).toBeGreaterThanOrEqual(100);
});

it('accepts asynchronous items and runs in real time', async () => {
  async function* items() {
    yield* [{ at: 1 }, { at: 1.02 }];
  }
  const start = performance.now();
  for await (const _item of paced(items()));
  expect(performance.now() - start).toBeGreaterThanOrEqual(20);
});

it('throws the reason of a signal that aborts during a pause, and closes the items', async () => {
  let closed = false;
  async function* items() {
    try {
      yield* [{ at: 0 }, { at: 1_000 }];
    } finally {
      closed = true;
    }
  }
  const stop = new AbortController();
  const seen: number[] = [];
  const replay = (async () => {
    for await (const { at } of paced(items(), { signal: stop.signal })) {
      seen.push(at);
      // The next item is due in a thousand seconds.
      void setImmediate().then(() => stop.abort(new Error('enough')));
    }
  })();
  await expect(replay).rejects.toThrow('enough');
  expect(seen).toEqual([0]);
  expect(closed).toBe(true);
});

it('yields nothing if the signal is already aborted', async () => {
  const replay = paced(ITEMS, { signal: AbortSignal.abort(new Error('never')) });
  await expect(replay.next()).rejects.toThrow('never');
});

it.each([0, -1, Number.NaN])('rejects the speed %s', async (speed) => {
  await expect(paced(ITEMS, { speed }).next()).rejects.toThrow(RangeError);
});
