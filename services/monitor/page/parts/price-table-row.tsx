// One instrument in the table of prices.

import type { Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { PriceRow } from '../../page-protocol.ts';
import { duration, price, rate, words } from '../display-format.ts';
import { now, priceOf, sparkOf } from '../store.ts';
import { Sparkline } from './sparkline.tsx';

interface Props {
  readonly symbol: string;
  /** Its row number in the whole table, the heading being 1. */
  readonly rowIndex: number;
  readonly opened: Signal<string | undefined>;
  /** By the Tab key. */
  readonly isTabStop: boolean;
}

export function PriceTableRow({ symbol, rowIndex, opened, isTabStop }: Props) {
  const row = priceOf(symbol)?.value;
  const direction = useDirection(row?.price);
  if (row === undefined) return null;
  const { bid, ask, look, verdict, detail } = row;
  const isOpen = opened.value === symbol;
  const toggle = () => {
    opened.value = isOpen ? undefined : symbol;
  };
  return (
    <tr
      data-symbol={symbol}
      data-look={look}
      data-verdict={verdict}
      title={detail}
      aria-rowindex={rowIndex}
      class={isOpen ? 'open' : ''}
    >
      <th scope="row" class="col-symbol">
        <button
          type="button"
          class="row-button"
          aria-expanded={isOpen}
          tabIndex={isTabStop ? 0 : -1}
          onClick={toggle}
        >
          {symbol}
        </button>
      </th>
      <td class="col-bid price">{price(bid, symbol)}</td>
      <td class="col-ask price">{price(ask, symbol)}</td>
      <td class="col-last price" data-move={direction}>
        {price(row.price, symbol)}
      </td>
      <td class="col-spread">{spread(row)}</td>
      <AgeCell row={row} />
      <td class="col-rate">{rate(row.rate)}</td>
      <SparklineCell symbol={symbol} />
      <td class="col-verdict">{verdictText(row)}</td>
    </tr>
  );
}

/** What opens an instrument; null while its row is not drawn. */
export function rowButton(symbol: string): HTMLElement | null {
  return document.querySelector(`.price-table [data-symbol="${CSS.escape(symbol)}"] button`);
}

/** Drawn with every frame, and nothing else of the row with it. */
function AgeCell({ row: { changedAt } }: { row: PriceRow }) {
  return <td class="col-age">{changedAt === undefined ? '–' : duration(now.value - changedAt)}</td>;
}

/** Of a feed that is down for one instrument alone, why. */
function verdictText({ verdict, instrument }: PriceRow): string {
  if (verdict === 'feed_down' && instrument !== undefined) return instrument;
  return verdict === 'fresh' ? '' : words(verdict);
}

/** Drawn once a second. */
function SparklineCell({ symbol }: { symbol: string }) {
  return (
    <td class="col-line">
      <Sparkline values={sparkOf(symbol).value} length={60} />
    </td>
  );
}

/** Where the price went with its last change. */
function useDirection(value: number | undefined): 'up' | 'down' | undefined {
  const last = useRef<{ value: number | undefined; direction: 'up' | 'down' | undefined }>({
    value,
    direction: undefined,
  });
  const before = last.current;
  if (value === undefined || before.value === undefined || value === before.value) return before.direction;
  last.current = { value, direction: value > before.value ? 'up' : 'down' };
  return last.current.direction;
}

/** In hundredths of a percent of the middle (basis points). */
function spread({ bid, ask }: PriceRow): string {
  if (bid === undefined || ask === undefined || bid + ask === 0) return '–';
  return `${(((ask - bid) / ((ask + bid) / 2)) * 10_000).toFixed(1)} bp`;
}
