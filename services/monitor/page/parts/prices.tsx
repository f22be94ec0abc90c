// The price table: age and verdict of every instrument.

import { computed, type Signal, signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { hasBands, priceOf, seconds, symbols } from '../store.ts';
import { useVisibleRows } from '../visible-rows.ts';
import { Dropped } from './dropped.tsx';
import { PriceTableRow, rowButton } from './price-table-row.tsx';
import { Spacer } from './spacer.tsx';

const ROW_HEIGHT = 26;

type Order = 'symbol' | 'spread' | 'age' | 'rate';
const order = signal<Order>('symbol');
const filter = signal('');

/** Re-sorts only once per second when the sort value changes constantly, so that rows do not jump. */
const listedSymbols = computed(() => {
  const text = filter.value.trim().toUpperCase();
  const all = symbols.value.filter((symbol) => symbol.toUpperCase().includes(text));
  if (order.value === 'symbol') return all;
  seconds.value;
  const rank = RANK[order.value];
  const ranks = new Map(all.map((symbol) => [symbol, rank(symbol)]));
  return all.toSorted((a, b) => (ranks.get(b) ?? 0) - (ranks.get(a) ?? 0));
});

const RANK: Readonly<Record<Exclude<Order, 'symbol'>, (symbol: string) => number>> = {
  rate: (symbol) => priceOf(symbol)?.peek().rate ?? 0,
  age: (symbol) => -(priceOf(symbol)?.peek().changedAt ?? 0),
  spread: (symbol) => {
    const { bid, ask } = priceOf(symbol)?.peek() ?? {};
    return bid === undefined || ask === undefined ? -1 : (ask - bid) / ask;
  },
};

interface Column {
  readonly title: string;
  readonly name: string;
  readonly order?: Order;
}

const COLUMNS: readonly Column[] = [
  { title: 'Symbol', name: 'symbol', order: 'symbol' },
  { title: 'Bid', name: 'bid' },
  { title: 'Ask', name: 'ask' },
  { title: 'Last', name: 'last' },
  { title: 'Band', name: 'band' },
  { title: 'Spread', name: 'spread', order: 'spread' },
  { title: 'Age', name: 'age', order: 'age' },
  { title: 'Rate/s', name: 'rate', order: 'rate' },
  { title: '1 minute', name: 'line' },
  { title: 'Verdict', name: 'verdict' },
];

export function Prices({ opened }: { opened: Signal<string | undefined> }) {
  const rows = listedSymbols.value;
  const visible = useVisibleRows(rows.length, ROW_HEIGHT, ROW_HEIGHT);
  const keys = useArrowKeys(rows, visible.scrollTo);
  const shown = rows.slice(visible.first, visible.end);
  return (
    <section class="panel prices" id="prices" aria-labelledby="prices-title" tabIndex={-1}>
      <div class="panel-head">
        <h2 id="prices-title">Prices</h2>
        <span class="muted">{describeCount(rows.length, symbols.value.length)}</span>
        <Dropped
          of="prices"
          title="Too many symbols: the ones that reported for the shortest time were dropped."
        />
        <input
          type="search"
          class="symbol-filter"
          aria-label="Filter by symbol"
          placeholder="Symbol"
          onInput={({ currentTarget }) => {
            filter.value = currentTarget.value;
          }}
        />
      </div>
      <div class="scroll" ref={visible.scroller}>
        <table class="rows price-table" aria-rowcount={rows.length + 1}>
          <thead>
            <tr>
              {COLUMNS.filter(({ name }) => name !== 'band' || hasBands.value).map((column) => (
                <Heading key={column.name} {...column} />
              ))}
            </tr>
          </thead>
          <tbody onKeyDown={keys.onKeyDown}>
            <Spacer rows={visible.first} height={ROW_HEIGHT} />
            {shown.map((symbol, index) => (
              <PriceTableRow
                key={symbol}
                symbol={symbol}
                rowIndex={visible.first + index + 2}
                opened={opened}
                isTabStop={symbol === keys.tabStop}
              />
            ))}
            <Spacer rows={rows.length - visible.end} height={ROW_HEIGHT} />
          </tbody>
        </table>
        {rows.length === 0 && (
          <p class="empty">{symbols.value.length === 0 ? 'No prices yet.' : 'No matching symbol.'}</p>
        )}
      </div>
    </section>
  );
}

function Heading({ title, name, order: by }: Column) {
  if (by === undefined) return <th class={`col-${name}`}>{title}</th>;
  const isChosen = order.value === by;
  return (
    <th
      class={`col-${name}`}
      aria-sort={isChosen ? (by === 'symbol' ? 'ascending' : 'descending') : undefined}
    >
      <button
        type="button"
        class="sort"
        onClick={() => {
          order.value = by;
        }}
      >
        {title}
      </button>
    </th>
  );
}

const tabStop = signal<string | undefined>(undefined);

/** Roving tabindex: Tab reaches one row, the arrow keys move between rows. */
function useArrowKeys(rows: readonly string[], show: (index: number) => void) {
  const current = tabStop.value !== undefined && rows.includes(tabStop.value) ? tabStop.value : rows[0];
  const waiting = useRef<number>(0);
  const onKeyDown = (event: KeyboardEvent) => {
    const target = targetIndex(event.key, rows.indexOf(current ?? ''), rows.length);
    if (target === undefined) return;
    event.preventDefault();
    tabStop.value = rows[target];
    show(target);
    cancelAnimationFrame(waiting.current);
    // The row may need to render first.
    waiting.current = requestAnimationFrame(() =>
      requestAnimationFrame(() => rowButton(rows[target] ?? '')?.focus()),
    );
  };
  return { tabStop: current, onKeyDown };
}

const PAGE_ROWS = 15;

function targetIndex(key: string, from: number, count: number): number | undefined {
  const within = (index: number) => Math.max(0, Math.min(count - 1, index));
  switch (key) {
    case 'ArrowDown':
      return within(from + 1);
    case 'ArrowUp':
      return within(from - 1);
    case 'PageDown':
      return within(from + PAGE_ROWS);
    case 'PageUp':
      return within(from - PAGE_ROWS);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return undefined;
  }
}

function describeCount(shown: number, all: number): string {
  return shown === all ? `${all} instrument${all === 1 ? '' : 's'}` : `${shown} of ${all} instruments`;
}
