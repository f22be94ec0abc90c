// Figures of each channel: rate per second, latency, losses, subscribers.

import type { Channel, ChannelReport, Message } from 'tickbus';
import type { ChannelRow, Series } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';
import { LatencyWindow } from './latency-window.ts';
import { PerSecondSeries } from './per-second-series.ts';

/** Points of the rate chart, one per second. */
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
  readonly #entries: Map<string, ChannelEntry>;
  readonly #rows = new KeyedRows<string, ChannelRow>();

  constructor(channels: readonly Channel[]) {
    this.#entries = new Map(channels.map((channel) => [channel.name, newEntry(channel)]));
  }

  add(channel: Channel): void {
    this.#entries.set(channel.name, newEntry(channel));
  }

  record(channel: string, message: Message, now: number): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined || message.snapshot) return;
    entry.lastAt = now;
    entry.latency.record(now - message.timestamp);
  }

  latencyOf(channel: string): { p50: number | null; p99: number | null } {
    return this.#entries.get(channel)?.latency.percentiles() ?? { p50: null, p99: null };
  }

  /** @param counts subscribed connections by channel, as reported by the server; empty if unknown */
  setSubscriberCounts(counts: ReadonlyMap<string, number>): void {
    for (const [name, entry] of this.#entries) entry.subscribers = counts.get(name) ?? null;
  }

  /** Call about once per second. Returns the totals over all channels. @param seconds since the previous call */
  updateRates(reportOf: (channel: Channel) => ChannelReport | undefined, seconds: number): ChannelTotals {
    const totals = { rate: 0, gaps: 0, lost: 0, invalid: 0 };
    for (const entry of this.#entries.values()) {
      const row = this.#updateRow(entry, reportOf(entry.channel), seconds);
      entry.latency.nextSlice();
      this.#rows.set(row.name, row);
      for (const name of ['rate', 'gaps', 'lost', 'invalid'] as const) totals[name] += row[name];
    }
    return totals;
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

  #updateRow(entry: ChannelEntry, report: ChannelReport | undefined, seconds: number): ChannelRow {
    const { channel, rates, lastAt, latency, subscribers } = entry;
    const received = report?.received ?? entry.received;
    rates.add(Math.round(Math.max(0, received - entry.received) / seconds));
    entry.received = received;
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
