// StampClock: estimates the server time from the replies of the server, and is never ahead of it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StampClock } from '../../transport/redis/writers/stamp-clock.ts';

describe('StampClock', () => {
  it('returns the last server time plus the time since its reply', () => {
    const clock = new StampClock();
    clock.observe(50_000, 100);
    expect(clock.at(100)).toBe(50_000);
    expect(clock.at(350)).toBe(50_249);
  });

  it('uses the fastest of recent replies', () => {
    const clock = new StampClock();
    clock.observe(50_000, 100);
    // This reply took 40 ms to arrive.
    clock.observe(50_100, 240);
    expect(clock.at(300)).toBe(50_199);
    // This reply was 1 ms faster than the first one.
    clock.observe(50_301, 400);
    expect(clock.at(400)).toBe(50_301);
  });

  it('follows a clock that was set back once a stamp was late', () => {
    const clock = new StampClock();
    clock.observe(50_000, 100);
    const stamp = clock.at(200);
    clock.observe(40_000, 210, stamp);
    expect(clock.at(210)).toBe(40_000);
  });

  it('is never late for any network delay, if the server clock loses at most 0.5 ms per second', () => {
    const step = fc.record({
      pauseMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
      thereMs: fc.double({ min: 0, max: 50, noNaN: true }),
      backMs: fc.double({ min: 0, max: 50, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2 }),
        fc.double({ min: 0.9995, max: 1.0005, noNaN: true }),
        (steps, rate) => {
          const clock = new StampClock();
          const serverAt = (monotonic: number) => 1_000_000 + monotonic * rate;
          let now = 10;
          clock.observe(serverAt(now), now);
          for (const { pauseMs, thereMs, backMs } of steps) {
            now += pauseMs;
            const stamp = clock.at(now);
            const executed = serverAt(now + thereMs);
            expect(stamp).toBeLessThanOrEqual(executed + 1e-6);
            now += thereMs + backMs;
            clock.observe(executed, now, stamp);
          }
        },
      ),
    );
  });
});
