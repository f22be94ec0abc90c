// Details of one instrument: verdict, candles, and latency by hop.

import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Hop, InstrumentDetails } from '../../api-protocol.ts';
import { band, duration, ms, words } from '../display-format.ts';
import { about, priceOf } from '../store.ts';
import { CandleChart } from './candle-chart.tsx';
import { rowButton } from './price-table-row.tsx';

const REFRESH_MS = 1_000;
const details = signal<InstrumentDetails | undefined>(undefined);

export function InstrumentPanel({ opened }: { opened: Signal<string | undefined> }) {
  const symbol = opened.value;
  useEffect(() => (symbol === undefined ? undefined : refresh(symbol)), [symbol]);
  if (symbol === undefined) return null;
  const instrument = details.value?.symbol === symbol ? details.value : undefined;
  const close = () => {
    opened.value = undefined;
    rowButton(symbol)?.focus();
  };
  return (
    <section
      class="panel instrument"
      aria-labelledby="instrument-title"
      onKeyDown={({ key }) => key === 'Escape' && close()}
    >
      <div class="panel-head">
        <h2 id="instrument-title">{symbol}</h2>
        <span class="muted">{instrument?.candleSeconds ?? 5} s candles, by arrival time</span>
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
      </div>
      {instrument !== undefined && <Reason instrument={instrument} />}
      <Band symbol={symbol} />
      <CandleChart symbol={symbol} candles={instrument?.candles ?? []} />
      <Hops hops={instrument?.hops ?? []} />
    </section>
  );
}

function Reason({ instrument: { verdict, reason } }: { instrument: InstrumentDetails }) {
  const freshFor = duration(about.value?.maxAgeMs ?? 0);
  return (
    <p class="reason" data-verdict={verdict}>
      <b>{words(verdict)}</b>{' '}
      {verdict === 'fresh' ? `Confirmed within ${freshFor}; the feed is live.` : reason}
    </p>
  );
}

/** On a narrow page, the table does not show it. */
function Band({ symbol }: { symbol: string }) {
  const row = priceOf(symbol)?.value;
  const text = row === undefined ? '' : band(row, symbol);
  return text === '' ? null : <p class="reason band">Price band {text}</p>;
}

/** Polls the details until the returned function is called. */
function refresh(symbol: string): () => void {
  const aborted = new AbortController();
  const poll = async () => {
    try {
      const response = await fetch(`/api/instruments/${encodeURIComponent(symbol)}`, {
        signal: aborted.signal,
      });
      if (response.ok) details.value = (await response.json()) as InstrumentDetails;
    } catch {
      // The banner reports that the monitor cannot be reached; the next poll retries.
    }
  };
  void poll();
  const timer = setInterval(poll, REFRESH_MS);
  return () => {
    clearInterval(timer);
    aborted.abort();
  };
}

function Hops({ hops }: { hops: readonly Hop[] }) {
  if (hops.length === 0) return <p class="empty">No latency yet: no live price has arrived.</p>;
  const longest = Math.max(...hops.map(({ p50 }) => barLength(p50)), MIN_SCALE_MS);
  return (
    <table class="rows hops">
      <caption class="visually-hidden">Latency by hop, last 64 prices</caption>
      <thead>
        <tr>
          <th>Hop</th>
          <th class="number">last ms</th>
          <th class="number">p50 ms</th>
          <th class="number">p99 ms</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {hops.map((hop) => (
          <HopTableRow key={hop.name} hop={hop} longest={longest} />
        ))}
      </tbody>
    </table>
  );
}

function HopTableRow({ hop: { name, last, p50, p99 }, longest }: { hop: Hop; longest: number }) {
  const note = noteOf(p50);
  return (
    <tr data-hop={name}>
      <th scope="row">
        {name}
        {note !== undefined && <span class="secondary">{note}</span>}
      </th>
      {[last, p50, p99].map((value, index) => (
        <td key={COLUMNS[index]} class="number">
          {isRecorded(value) ? '–' : ms(value > -RESOLUTION_MS ? Math.max(0, value) : value)}
        </td>
      ))}
      <td>
        <svg class="bar" aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none">
          <rect width={(barLength(p50) / longest) * 100} height="6" />
        </svg>
      </td>
    </tr>
  );
}

const COLUMNS = ['last', 'p50', 'p99'];
/** A larger difference is not a latency: the prices were recorded at another time. */
const DAY_MS = 86_400_000;

/** Redis reports whole milliseconds, so a slightly negative hop is below the resolution. */
const RESOLUTION_MS = 1;
/** Lower bound of the bar scale. */
const MIN_SCALE_MS = 0.01;

function barLength(value: number): number {
  return isRecorded(value) ? 0 : Math.max(0, value);
}

function isRecorded(value: number): boolean {
  return Math.abs(value) > DAY_MS;
}

function noteOf(value: number): string | undefined {
  if (isRecorded(value)) return 'recorded prices: the timestamps are from another day';
  return value < -RESOLUTION_MS ? 'the machines’ clocks differ' : undefined;
}
