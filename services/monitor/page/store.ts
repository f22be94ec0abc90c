// State of the page: a snapshot with deltas applied to it. Each price row has its own signal and renders only when it
// changes.

import { batch, computed, type Signal, signal } from '@preact/signals';
import type {
  About,
  BotRow,
  ChannelRow,
  CommandRow,
  Delta,
  Dropped,
  EventRow,
  Indicators,
  PriceRow,
  Removed,
  Series,
  Snapshot,
  StatusSentence,
  Totals,
} from '../page-protocol.ts';
import { forgetDecimals, learnDecimals } from './display-format.ts';

/** Server clock of the newest frame; 0 before the first frame. */
export const now = signal(0);
export const about = signal<About | undefined>(undefined);
export const status = signal<StatusSentence | undefined>(undefined);
export const indicators = signal<Indicators | undefined>(undefined);
export const totals = signal<Totals | undefined>(undefined);
/** Sorted alphabetically. */
export const symbols = signal<readonly string[]>([]);
/** Whether an instrument has had a price band since the snapshot. */
export const hasBands = signal(false);
export const bots = signal<readonly BotRow[]>([]);
export const channels = signal<readonly ChannelRow[]>([]);
export const rates = signal<Readonly<Record<string, Series>>>({});
/** Newest first. */
export const commands = signal<readonly CommandRow[]>([]);
/** Newest first. */
export const events = signal<readonly EventRow[]>([]);
/** Rows dropped by the monitor, because there were too many. */
export const dropped = signal<Dropped | undefined>(undefined);
/** Increments once per second of server time; triggers re-sorting. */
export const seconds = signal(0);

/** `lost`: the stream is down and the page shows the last frame. */
export const streamState = signal<'connecting' | 'open' | 'lost'>('connecting');
/** By the browser's clock. */
export const lostSince = signal(0);
export const isLive = computed(() => streamState.value === 'open' && indicators.value !== undefined);

const prices = new Map<string, Signal<PriceRow>>();
const sparks = new Map<string, Signal<Series>>();

const SPARK_LENGTH = 60;
const RATES_LENGTH = 120;

export function priceOf(symbol: string): Signal<PriceRow> | undefined {
  return prices.get(symbol);
}

export function sparkOf(symbol: string): Signal<Series> {
  const known = sparks.get(symbol) ?? signal<Series>([]);
  sparks.set(symbol, known);
  return known;
}

export function applySnapshot(snapshot: Snapshot): void {
  batch(() => {
    // After a reconnect, the snapshot can come from another server with other instruments.
    removePrices([...prices.keys()].filter((symbol) => !Object.hasOwn(snapshot.sparks, symbol)));
    prices.clear();
    symbols.value = [];
    hasBands.value = false;
    now.value = snapshot.now;
    about.value = snapshot.about;
    status.value = snapshot.status;
    indicators.value = snapshot.lamps;
    totals.value = snapshot.totals;
    applyPrices(snapshot.prices);
    for (const [symbol, spark] of sparks) spark.value = snapshot.sparks[symbol] ?? [];
    for (const [symbol, points] of Object.entries(snapshot.sparks)) sparkOf(symbol).value = points;
    bots.value = byName(snapshot.bots, ({ bot }) => bot);
    channels.value = snapshot.channels;
    rates.value = snapshot.rates;
    commands.value = snapshot.commands.toReversed();
    events.value = snapshot.events.toReversed();
    dropped.value = snapshot.dropped;
    seconds.value++;
  });
}

export function applyDelta(delta: Delta): void {
  batch(() => {
    now.value = delta.now;
    if (delta.status !== undefined) status.value = delta.status;
    if (delta.lamps !== undefined) indicators.value = delta.lamps;
    if (delta.totals !== undefined) totals.value = delta.totals;
    if (delta.dropped !== undefined) dropped.value = delta.dropped;
    if (delta.removed !== undefined) applyRemoved(delta.removed);
    if (delta.prices !== undefined) applyPrices(delta.prices);
    if (delta.bots !== undefined)
      bots.value = byName(
        merged(bots.value, delta.bots, ({ bot }) => bot),
        ({ bot }) => bot,
      );
    if (delta.channels !== undefined)
      channels.value = merged(channels.value, delta.channels, ({ name }) => name);
    if (delta.commands !== undefined) commands.value = newestFirst(commands.value, delta.commands);
    if (delta.events !== undefined) events.value = newestFirst(events.value, delta.events);
    if (delta.sparks !== undefined) appendPoints(delta.sparks, delta.rates ?? {});
  });
}

function applyPrices(rows: readonly PriceRow[]): void {
  let isNew = false;
  for (const row of rows) {
    learnDecimals(row);
    if (row.limitDown !== undefined || row.limitUp !== undefined) hasBands.value = true;
    const known = prices.get(row.symbol);
    if (known !== undefined) known.value = row;
    else {
      prices.set(row.symbol, signal(row));
      isNew = true;
    }
  }
  if (isNew) symbols.value = [...prices.keys()].sort();
}

function applyRemoved({ prices: gone = [], ...removed }: Removed): void {
  removePrices(gone);
  if (gone.length > 0) symbols.value = [...prices.keys()].sort();
  if (removed.bots !== undefined) bots.value = without(bots.value, removed.bots, ({ bot }) => bot);
  if (removed.commands !== undefined)
    commands.value = without(commands.value, removed.commands, ({ n }) => n);
  if (removed.events !== undefined) events.value = without(events.value, removed.events, ({ n }) => n);
}

function removePrices(gone: readonly string[]): void {
  for (const symbol of gone) {
    prices.delete(symbol);
    sparks.delete(symbol);
    forgetDecimals(symbol);
  }
}

function without<Row, Key>(rows: readonly Row[], gone: readonly Key[], keyOf: (row: Row) => Key): Row[] {
  const keys = new Set(gone);
  return rows.filter((row) => !keys.has(keyOf(row)));
}

function appendPoints(
  points: Readonly<Record<string, number>>,
  newRates: Readonly<Record<string, number>>,
): void {
  for (const [symbol, point] of Object.entries(points)) {
    const spark = sparkOf(symbol);
    spark.value = [...spark.value.slice(1 - SPARK_LENGTH), point];
  }
  const appended = Object.entries(newRates).map(
    ([channel, rate]) => [channel, [...(rates.value[channel] ?? []).slice(1 - RATES_LENGTH), rate]] as const,
  );
  rates.value = { ...rates.value, ...Object.fromEntries(appended) };
  seconds.value++;
}

function merged<Row>(old: readonly Row[], changed: readonly Row[], keyOf: (row: Row) => string): Row[] {
  const rows = new Map(old.map((row) => [keyOf(row), row]));
  for (const row of changed) rows.set(keyOf(row), row);
  return [...rows.values()];
}

function byName<Row>(rows: readonly Row[], nameOf: (row: Row) => string): Row[] {
  return rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function newestFirst<Row extends { readonly n: number }>(
  old: readonly Row[],
  changed: readonly Row[],
): Row[] {
  const rows = merged(old, changed, ({ n }) => String(n));
  return rows.toSorted((a, b) => b.n - a.n);
}
