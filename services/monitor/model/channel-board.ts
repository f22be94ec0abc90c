// How each channel is doing: its rate by the second, latency, losses, subscribers.

import type { Channel, ChannelReport, Message } from 'tickbus';
import type { ChannelRow, Series } from '../protocol.ts';
import { KeyedRows } from './keyed-rows.ts';
import { LatencyWindow } from './latency.ts';
import { SecondSeries } from './series.ts';

/** Points of the rate chart, one a second. */
const CHART_SECONDS = 120;

interface Watched {
  readonly channel: Channel;
  readonly latency: LatencyWindow;
  readonly rates: SecondSeries;
  received: number;
  lastAt: number | undefined;
  subscribers: number | null;
}

export interface Sums {
  readonly rate: number;
  readonly gaps: number;
  readonly lost: number;
  readonly invalid: number;
}

export class ChannelBoard {
  readonly #watched: ReadonlyMap<string, Watched>;
  readonly #rows: KeyedRows<ChannelRow>;

  constructor(channels: readonly Channel[]) {
    this.#rows = new KeyedRows(channels.length);
    this.#watched = new Map(channels.map((channel) => [channel.name, newlyWatched(channel)]));
  }

  heard(channel: string, message: Message, now: number): void {
    const watched = this.#watched.get(channel);
    if (watched === undefined || message.snapshot) return;
    watched.lastAt = now;
    watched.latency.record(now - message.timestamp);
  }

  latencyOf(channel: string): { p50: number | null; p99: number | null } {
    return this.#watched.get(channel)?.latency.percentiles() ?? { p50: null, p99: null };
  }

  /** How many links are subscribed, by channel, as the server has it. */
  subscribed(counts: ReadonlyMap<string, number>): void {
    for (const [name, watched] of this.#watched) watched.subscribers = counts.get(name) ?? null;
  }

  /** To be called about once a second; gives the sums over all channels. @param seconds since the last call */
  second(reportOf: (channel: Channel) => ChannelReport | undefined, seconds: number): Sums {
    const sums = { rate: 0, gaps: 0, lost: 0, invalid: 0 };
    for (const watched of this.#watched.values()) {
      const row = this.#count(watched, reportOf(watched.channel), seconds);
      watched.latency.advance();
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
    return Object.fromEntries([...this.#watched].map(([name, { rates }]) => [name, rates.all()]));
  }

  ratePoints(): Record<string, number> {
    return Object.fromEntries([...this.#watched].map(([name, { rates }]) => [name, rates.last ?? 0]));
  }

  #count(watched: Watched, report: ChannelReport | undefined, seconds: number): ChannelRow {
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

function newlyWatched(channel: Channel): Watched {
  return {
    channel,
    latency: new LatencyWindow(),
    rates: new SecondSeries(CHART_SECONDS),
    received: 0,
    lastAt: undefined,
    subscribers: null,
  };
}
