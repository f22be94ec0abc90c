// The age of a plain client counts only for as long as a gateway or a monitor could hear it.

import type { FeedStatus } from 'tickbus';
import { expect, it } from 'vitest';
import { adopterSilenceMs, judgedAgeMs } from '../plain-clients.ts';

const feed = (ageMs: number, status: Partial<FeedStatus> = {}) => ({
  status: { feed: 'alpaca', state: 'live' as const, ...status },
  ageMs,
});
const program = (name: string, ...subscribes: string[]) => ({
  name,
  instance: 'i',
  host: 'h',
  pid: 1,
  subscribes,
  publishes: [],
});

it('a monitor that is there, or else the gateway that reported last, is the adopter', () => {
  expect(adopterSilenceMs([], undefined)).toBeUndefined();
  expect(adopterSilenceMs([feed(9_000)], [program('monitor', 'BOT_STATUS')])).toBe(0);
  expect(adopterSilenceMs([feed(2_000), feed(500, { feed: 'kraken' })], [])).toBe(500);
  expect(adopterSilenceMs([feed(20_000, { interval_ms: 10_000 })], [])).toBe(20_000);
});

it('none is a gateway that is silent or has stopped, nor another program that reads BOT_STATUS', () => {
  const others = [program('momentum', 'BOT_STATUS'), program('monitor', 'PRICE_DATA')];
  expect(adopterSilenceMs([feed(3_001), feed(0, { state: 'stopped' })], others)).toBeUndefined();
});

it('the silence of the adopter does not count as silence of a plain client', () => {
  expect(judgedAgeMs(false, 9_000, undefined)).toBe(9_000);
  expect(judgedAgeMs(true, 9_000, 2_000)).toBe(7_000);
  expect(judgedAgeMs(true, 1_000, 2_000)).toBe(0);
  expect(judgedAgeMs(true, 9_000, undefined)).toBeUndefined();
});
