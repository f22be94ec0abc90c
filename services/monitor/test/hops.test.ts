// HopSamples: latency of one price by hop.

import { expect, it } from 'vitest';
import { HopSamples } from '../model/hops.ts';

const message = (at: number) => ({
  message_type: 'price',
  data: { timestamp: 1_000 },
  timestamp: 1_010,
  sender: 'test',
  at,
});

const lastTimes = (at: number, now: number) => {
  const samples = new HopSamples();
  samples.add(message(at), now);
  return samples.summary().map(({ last }) => last);
};

it('a hop is the difference between the timestamps at its ends', () => {
  expect(lastTimes(1_012, 1_015)).toEqual([10, 2, 3]);
});

it('a timestamp that is a few milliseconds early gives 0', () => {
  expect(lastTimes(1_009, 1_015)).toEqual([10, 0, 6]);
  expect(lastTimes(1_005, 1_015)).toEqual([10, 0, 10]);
});

it('a larger clock difference gives a negative hop', () => {
  expect(lastTimes(960, 1_015)).toEqual([10, -50, 55]);
});
