// ChannelBoard and LatencyWindow: the figures of the top bar and the channel table.

import type { ChannelReport, Message } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { expect, it } from 'vitest';
import { ChannelBoard } from '../model/channel-board.ts';
import { LatencyWindow } from '../model/latency-window.ts';

const { PRICE_DATA, BOT_STATUS } = CHANNELS;
const AT = 1_000_000;

it('sums rates, gaps, lost and invalid messages over all channels, and keeps the figures of each', () => {
  const board = new ChannelBoard([PRICE_DATA, BOT_STATUS]);
  const reports: Record<string, Partial<ChannelReport>> = {
    PRICE_DATA: { mode: 'live', received: 300, gaps: 2, lost: 30, invalid: 1 },
    BOT_STATUS: { mode: 'recovering', received: 8, gaps: 1, lost: 0, invalid: 4 },
  };
  const reportOf = ({ name }: { name: string }) => reports[name] as ChannelReport;
  expect(board.updateRates(reportOf, 2)).toEqual({ rate: 154, gaps: 3, lost: 30, invalid: 5 });
  expect(board.updateRates(reportOf, 1)).toEqual({ rate: 0, gaps: 3, lost: 30, invalid: 5 });
  board.setSubscriberCounts(new Map([['PRICE_DATA', 3]]));
  board.updateRates(reportOf, 1);
  expect(board.rows()).toMatchObject([
    { name: 'PRICE_DATA', mode: 'live', received: 300, subscribers: 3, gaps: 2, lost: 30, invalid: 1 },
    { name: 'BOT_STATUS', mode: 'recovering', received: 8, subscribers: null, gaps: 1, invalid: 4 },
  ]);
  expect(board.rates()).toEqual({ PRICE_DATA: [150, 0, 0], BOT_STATUS: [4, 0, 0] });
});

it('measures latency from publisher to monitor, without snapshots', () => {
  const board = new ChannelBoard([PRICE_DATA]);
  const message = (ms: number, more = {}) => ({ timestamp: AT - ms, ...more }) as Message;
  board.record('PRICE_DATA', message(60_000, { snapshot: true }), AT);
  expect(board.latencyOf('PRICE_DATA')).toEqual({ p50: null, p99: null });
  board.record('PRICE_DATA', message(4), AT);
  expect(board.latencyOf('PRICE_DATA').p50).toBeCloseTo(4, 1);
});

it('computes p50 and p99, and drops samples after ten seconds', () => {
  const window = new LatencyWindow();
  for (let ms = 1; ms <= 100; ms++) window.record(ms);
  const { p50, p99 } = window.percentiles();
  // The histogram keeps two significant digits.
  expect((p50 ?? 0) / 50).toBeCloseTo(1, 1);
  expect((p99 ?? 0) / 99).toBeCloseTo(1, 1);
  for (let second = 0; second < 9; second++) window.nextSlice();
  expect(window.percentiles().p50).toBe(p50);
  window.nextSlice();
  expect(window.percentiles()).toEqual({ p50: null, p99: null });
});
