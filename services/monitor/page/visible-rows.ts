// List virtualization: renders only the visible rows of a long list.

import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface VisibleRows {
  /** Ref for the scrolling element. */
  readonly scroller: RefObject<HTMLDivElement | null>;
  /** Index of the first row to render. */
  readonly first: number;
  /** Exclusive end index. */
  readonly end: number;
  /** Scrolls the row into view. */
  scrollTo(index: number): void;
}

/** Extra rows above and below the visible ones, so that fast scrolling shows no blank area. */
const OVERSCAN_ROWS = 6;

/** @param headerHeight height of the sticky header in pixels */
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
