// One row of the price table.

import type { Signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { PriceRow } from '../../page-protocol.ts';
import { band, duration, price, rate, words } from '../display-format.ts';
import { hasBands, now, priceOf, sparkOf } from '../store.ts';
import { Sparkline } from './sparkline.tsx';

interface Props {
  readonly symbol: string;
  /** Row number in the whole table; the header is row 1. */
  readonly rowIndex: number;
  readonly opened: Signal<string | undefined>;
  /** Whether the Tab key reaches this row. */
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
      {hasBands.value && <td class="col-band price">{band(row, symbol)}</td>}
      <td class="col-spread">{spread(row)}</td>
      <AgeCell row={row} />
      <td class="col-rate">{rate(row.rate)}</td>
      <SparklineCell symbol={symbol} />
      <td class="col-verdict">{verdictText(row)}</td>
    </tr>
  );
}

/** Returns the button that opens an instrument; null while its row is not rendered. */
export function rowButton(symbol: string): HTMLElement | null {
  return document.querySelector(`.price-table [data-symbol="${CSS.escape(symbol)}"] button`);
}

/** A separate component, because it renders with every frame. */
function AgeCell({ row: { changedAt } }: { row: PriceRow }) {
  return <td class="col-age">{changedAt === undefined ? '–' : duration(now.value - changedAt)}</td>;
}

/** If the feed is down for this instrument only, shows the reason instead of the verdict. */
function verdictText({ verdict, instrument }: PriceRow): string {
  if (verdict === 'feed_down' && instrument !== undefined) return instrument;
  return verdict === 'fresh' ? '' : words(verdict);
}

/** A separate component, because it renders once per second. */
function SparklineCell({ symbol }: { symbol: string }) {
  return (
    <td class="col-line">
      <Sparkline values={sparkOf(symbol).value} length={60} />
    </td>
  );
}

/** Direction of the last price change. */
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

/** Spread in basis points of the midpoint. */
function spread({ bid, ask }: PriceRow): string {
  if (bid === undefined || ask === undefined || bid + ask === 0) return '–';
  return `${(((ask - bid) / ((ask + bid) / 2)) * 10_000).toFixed(1)} bp`;
}
