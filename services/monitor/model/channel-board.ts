// How each channel is doing: its rate by the second, latency, losses, subscribers.

import type { Channel, ChannelReport, Message } from 'tickbus';
import type { ChannelRow, Series } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';
import { LatencyWindow } from './latency-window.ts';
import { PerSecondSeries } from './per-second-series.ts';

/** Points of the rate chart, one a second. */
const CHART_SECONDS = 120;

interface ChannelEntry {
  readonly channel: Channel;
  readonly latency: LatencyWindow;
  readonly rates: PerSecondSeries;
  received: number;
  lastAt: number | undefined;
  subscribers: number | null;
}

export interface ChannelTotals {
  readonly rate: number;
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
}

export class ChannelBoard {
  readonly #entries: ReadonlyMap<string, ChannelEntry>;
  readonly #rows: KeyedRows<ChannelRow>;

  constructor(channels: readonly Channel[]) {
    this.#rows = new KeyedRows(channels.length);
    this.#entries = new Map(channels.map((channel) => [channel.name, newEntry(channel)]));
  }

  record(channel: string, message: Message, now: number): void {
    const watched = this.#entries.get(channel);
    if (watched === undefined || message.snapshot) return;
    watched.lastAt = now;
    watched.latency.record(now - message.timestamp);
  }

  latencyOf(channel: string): { p50: number | null; p99: number | null } {
    return this.#entries.get(channel)?.latency.percentiles() ?? { p50: null, p99: null };
  }

  /** How many links are subscribed, by channel, as the server has it. */
  setSubscriberCounts(counts: ReadonlyMap<string, number>): void {
    for (const [name, watched] of this.#entries) watched.subscribers = counts.get(name) ?? null;
  }

  /** To be called about once a second; gives the sums over all channels. @param seconds since the last call */
  updateRates(reportOf: (channel: Channel) => ChannelReport | undefined, seconds: number): ChannelTotals {
    const sums = { rate: 0, gaps: 0, lost: 0, invalid: 0 };
    for (const watched of this.#entries.values()) {
      const row = this.#updateRow(watched, reportOf(watched.channel), seconds);
      watched.latency.nextSlice();
      this.#rows.set(row.name, row);
      for (const sum of ['rate', 'gaps', 'lost', 'invalid'] as const) sums[sum] += row[sum];
    }
    return sums;
  }

  rows(): ChannelRow[] {
    return this.#rows.all();
  }

  takeChanged(): ChannelRow[] {
    return this.#rows.takeChanged();
  }

  rates(): Record<string, Series> {
    return Object.fromEntries([...this.#entries].map(([name, { rates }]) => [name, rates.all()]));
  }

  ratePoints(): Record<string, number> {
    return Object.fromEntries([...this.#entries].map(([name, { rates }]) => [name, rates.last ?? 0]));
  }

  #updateRow(watched: ChannelEntry, report: ChannelReport | undefined, seconds: number): ChannelRow {
    const { channel, rates, lastAt, latency, subscribers } = watched;
    const received = report?.received ?? watched.received;
    rates.add(Math.round(Math.max(0, received - watched.received) / seconds));
    watched.received = received;
    return {
      name: channel.name,
      kind: channel.kind,
      mode: report?.mode ?? 'idle',
      rate: rates.last ?? 0,
      received,
      ...latency.percentiles(),
      subscribers,
      gaps: report?.gaps ?? 0,
      lost: report?.lost ?? 0,
      invalid: report?.invalid ?? 0,
      ...(lastAt !== undefined && { lastAt: Math.round(lastAt) }),
    };
  }
}

function newEntry(channel: Channel): ChannelEntry {
  return {
    channel,
    latency: new LatencyWindow(),
    rates: new PerSecondSeries(CHART_SECONDS),
    received: 0,
    lastAt: undefined,
    subscribers: null,
  };
}
