// Candles, drawn by a library that is loaded when the first chart is opened.

import { useEffect, useRef } from 'preact/hooks';
import type { Candle } from '../../page-protocol.ts';
import { isDark } from '../theme.ts';
import type { CandleView } from './candle-view.ts';

export function CandleChart({ symbol, candles }: { symbol: string; candles: readonly Candle[] }) {
  const place = useRef<HTMLDivElement | null>(null);
  const view = useRef<CandleView | undefined>(undefined);
  const newest = useRef(candles);
  newest.current = candles;
  // Another instrument or other colours make another chart.
  const dark = isDark.value;
  useEffect(() => {
    let isGone = false;
    void import('./candle-view.ts').then(({ createCandleView }) => {
      if (isGone || place.current === null) return;
      view.current = createCandleView(place.current);
      view.current.set(newest.current);
    });
    return () => {
      isGone = true;
      view.current?.remove();
      view.current = undefined;
    };
  }, [symbol, dark]);
  useEffect(() => view.current?.set(candles), [candles]);
  return (
    <>
      <div class="candles" ref={place} role="img" aria-label={`Candles of ${symbol}`} />
      <p class="attribution">
        Charts by{' '}
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          TradingView Lightweight Charts™
        </a>
        , © TradingView, Inc.
      </p>
    </>
  );
}
