// What the page knows: a snapshot, then deltas laid over it. One signal a row of prices, so that a row is drawn only when it changed.

import { batch, computed, type Signal, signal } from '@preact/signals';
import type {
  About,
  BotRow,
  ChannelRow,
  CommandRow,
  Delta,
  EventRow,
  Indicators,
  PriceRow,
  Series,
  Snapshot,
  Totals,
} from '../page-protocol.ts';
import { learnDecimals } from './display-format.ts';

/** The server's clock at the newest frame; 0 before the first one. */
export const now = signal(0);
export const about = signal<About | undefined>(undefined);
export const indicators = signal<Indicators | undefined>(undefined);
export const totals = signal<Totals | undefined>(undefined);
/** In the order of the alphabet. */
export const symbols = signal<readonly string[]>([]);
export const bots = signal<readonly BotRow[]>([]);
export const channels = signal<readonly ChannelRow[]>([]);
export const rates = signal<Readonly<Record<string, Series>>>({});
/** Newest first. */
export const commands = signal<readonly CommandRow[]>([]);
/** Newest first. */
export const events = signal<readonly EventRow[]>([]);
/** Counts the seconds that the server told of, for what is sorted anew once a second. */
export const seconds = signal(0);

/** `lost`: there is no stream, and what is shown is as old as the last frame. */
export const streamState = signal<'connecting' | 'open' | 'lost'>('connecting');
/** By this browser's clock. */
export const lostSince = signal(0);
export const isLive = computed(() => streamState.value === 'open' && indicators.value !== undefined);

const prices = new Map<string, Signal<PriceRow>>();
const sparks = new Map<string, Signal<Series>>();

const SPARK_LENGTH = 60;
const RATES_LENGTH = 120;
const MAX_ROWS = 500;

export function priceOf(symbol: string): Signal<PriceRow> | undefined {
  return prices.get(symbol);
}

export function sparkOf(symbol: string): Signal<Series> {
  const known = sparks.get(symbol) ?? signal<Series>([]);
  sparks.set(symbol, known);
  return known;
}

export function takeSnapshot(snapshot: Snapshot): void {
  batch(() => {
    // The server may be another one than before.
    prices.clear();
    symbols.value = [];
    now.value = snapshot.now;
    about.value = snapshot.about;
    indicators.value = snapshot.lamps;
    totals.value = snapshot.totals;
    takePrices(snapshot.prices);
    for (const [symbol, spark] of sparks) spark.value = snapshot.sparks[symbol] ?? [];
    for (const [symbol, points] of Object.entries(snapshot.sparks)) sparkOf(symbol).value = points;
    bots.value = byName(snapshot.bots, ({ bot }) => bot);
    channels.value = snapshot.channels;
    rates.value = snapshot.rates;
    commands.value = snapshot.commands.toReversed();
    events.value = snapshot.events.toReversed();
    seconds.value++;
  });
}

export function takeDelta(delta: Delta): void {
  batch(() => {
    now.value = delta.now;
    if (delta.lamps !== undefined) indicators.value = delta.lamps;
    if (delta.totals !== undefined) totals.value = delta.totals;
    if (delta.prices !== undefined) takePrices(delta.prices);
    if (delta.bots !== undefined)
      bots.value = byName(
        merged(bots.value, delta.bots, ({ bot }) => bot),
        ({ bot }) => bot,
      );
    if (delta.channels !== undefined)
      channels.value = merged(channels.value, delta.channels, ({ name }) => name);
    if (delta.commands !== undefined) commands.value = newestFirst(commands.value, delta.commands);
    if (delta.events !== undefined) events.value = newestFirst(events.value, delta.events);
    if (delta.sparks !== undefined) takeSecond(delta.sparks, delta.rates ?? {});
  });
}

function takePrices(rows: readonly PriceRow[]): void {
  let isNew = false;
  for (const row of rows) {
    learnDecimals(row);
    const known = prices.get(row.symbol);
    if (known !== undefined) known.value = row;
    else {
      prices.set(row.symbol, signal(row));
      isNew = true;
    }
  }
  if (isNew) symbols.value = [...prices.keys()].sort();
}

function takeSecond(
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
  return rows.toSorted((a, b) => b.n - a.n).slice(0, MAX_ROWS);
}
