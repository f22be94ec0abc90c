// What is known of one instrument: its candles, and how long its prices take on each part of their way.

import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Hop, InstrumentDetails } from '../../page-protocol.ts';
import { duration, ms, words } from '../display-format.ts';
import { about } from '../store.ts';
import { CandleChart } from './candle-chart.tsx';
import { rowButton } from './price-table-row.tsx';

const REFRESH_MS = 1_000;
const known = signal<InstrumentDetails | undefined>(undefined);

export function InstrumentPanel({ opened }: { opened: Signal<string | undefined> }) {
  const symbol = opened.value;
  useEffect(() => (symbol === undefined ? undefined : refresh(symbol)), [symbol]);
  if (symbol === undefined) return null;
  const instrument = known.value?.symbol === symbol ? known.value : undefined;
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
        <span class="muted">candles of {instrument?.candleSeconds ?? 5} s, by when the prices came here</span>
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
      </div>
      {instrument !== undefined && <Reason instrument={instrument} />}
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
      {verdict === 'fresh' ? `Not older than ${freshFor}, and the feed is live.` : reason}
    </p>
  );
}

/** Asks again and again, until the function that is returned is called. */
function refresh(symbol: string): () => void {
  const ended = new AbortController();
  const ask = async () => {
    try {
      const response = await fetch(`/api/instruments/${encodeURIComponent(symbol)}`, {
        signal: ended.signal,
      });
      if (response.ok) known.value = (await response.json()) as InstrumentDetails;
    } catch {
      // The banner tells that the monitor cannot be reached; it is asked again.
    }
  };
  void ask();
  const timer = setInterval(ask, REFRESH_MS);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}

function Hops({ hops }: { hops: readonly Hop[] }) {
  if (hops.length === 0) return <p class="empty">No live price yet, so nothing was measured.</p>;
  const longest = Math.max(...hops.map(({ p50 }) => shownPart(p50)), SHORTEST_MS);
  return (
    <table class="rows hops">
      <caption class="visually-hidden">Latency by hop, of the last 64 prices</caption>
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
          <rect width={(shownPart(p50) / longest) * 100} height="6" />
        </svg>
      </td>
    </tr>
  );
}

const COLUMNS = ['last', 'p50', 'p99'];
/** Nothing takes so long: the timestamps are of another time. */
const DAY_MS = 86_400_000;

/** Redis tells whole milliseconds: what comes out just below 0 took no time that could be measured. */
const RESOLUTION_MS = 1;
/** Bars are not drawn longer than this makes them. */
const SHORTEST_MS = 0.01;

function shownPart(value: number): number {
  return isRecorded(value) ? 0 : Math.max(0, value);
}

function isRecorded(value: number): boolean {
  return Math.abs(value) > DAY_MS;
}

function noteOf(value: number): string | undefined {
  if (isRecorded(value)) return 'the timestamps are of another day: recorded prices';
  return value < -RESOLUTION_MS ? 'the clocks of the machines differ' : undefined;
}
