// Of a long list only the rows that can be seen are drawn.

import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface VisibleRows {
  /** Goes on the element that scrolls. */
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly first: number;
  /** The one after the last. */
  readonly end: number;
  /** Scrolls so far that a row can be seen. */
  scrollTo(index: number): void;
}

/** Rows above and below what is seen, so that scrolling shows no holes. */
const OVERSCAN_ROWS = 6;

/** @param headerHeight of what stays at the top of the scroller */
export function useVisibleRows(count: number, rowHeight: number, headerHeight: number): VisibleRows {
  const scroller = useRef<HTMLDivElement | null>(null);
  const [range, setRange] = useState({ first: 0, end: 50 });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const updateRange = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / rowHeight) - OVERSCAN_ROWS);
      const end = Math.ceil((element.scrollTop + element.clientHeight) / rowHeight) + OVERSCAN_ROWS;
      setRange((old) => (old.first === first && old.end === end ? old : { first, end }));
    };
    const resized = new ResizeObserver(updateRange);
    resized.observe(element);
    element.addEventListener('scroll', updateRange, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', updateRange);
    };
  }, [rowHeight]);
  return {
    scroller,
    first: Math.min(range.first, Math.max(0, count - 1)),
    end: Math.min(range.end, count),
    scrollTo(index) {
      const element = scroller.current;
      if (element === null) return;
      const top = index * rowHeight;
      if (top < element.scrollTop) element.scrollTop = top;
      const bottom = top + rowHeight + headerHeight - element.clientHeight;
      if (bottom > element.scrollTop) element.scrollTop = bottom;
    },
  };
}
