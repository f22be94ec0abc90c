// Estimate of the server clock from the replies of the server.

import { expect, it } from 'vitest';
import { ServerClock } from '../../freshness/server-clock.ts';

it('returns undefined before the first reply', () => {
  expect(new ServerClock().at(0)).toBeUndefined();
});

it('takes the middle of the round trip; the error is half of it', () => {
  const time = new ServerClock();
  expect(time.add(1_000, 1_020, 500_010)).toBeUndefined();
  expect(time.at(1_020)).toEqual({ time: 500_020, errorMs: 10 });
});

it('prefers the fastest reply, with an error that grows over time', () => {
  const time = new ServerClock();
  time.add(0, 2, 100_001);
  time.add(1_000, 1_400, 101_390);
  expect(time.at(1_400)).toEqual({ time: 101_400, errorMs: 1 + 1_398 * 0.0005 });
  time.add(30_000, 30_004, 130_002);
  expect(time.at(30_004)).toEqual({ time: 130_004, errorMs: 2 });
});

it('discards a reply after a minute', () => {
  const time = new ServerClock();
  time.add(0, 0, 100_000);
  time.add(61_000, 61_100, 161_040);
  expect(time.at(61_100)).toEqual({ time: 161_090, errorMs: 50 });
});

it('add returns how far the server clock was set, and keeps only replies after that', () => {
  const time = new ServerClock();
  time.add(0, 2, 100_001);
  expect(time.add(1_000, 1_010, 101_005 + 3_600_000)).toBe(3_600_000);
  expect(time.at(1_010)).toEqual({ time: 101_010 + 3_600_000, errorMs: 5 });
  expect(time.add(2_000, 2_002, 102_001)).toBe(-3_600_000);
  expect(time.at(2_002)?.time).toBe(102_002);
});

it('treats a slow reply as slow, not as a clock change', () => {
  const time = new ServerClock();
  time.add(0, 2, 100_001);
  expect(time.add(1_000, 3_000, 101_000)).toBeUndefined();
  expect(time.add(4_000, 6_000, 106_000)).toBeUndefined();
  expect(time.at(6_000)?.time).toBe(106_000);
});
