// Candle chart. The chart library loads when the first chart opens.

import { useEffect, useRef } from 'preact/hooks';
import type { Candle } from '../../api-protocol.ts';
import { isDark } from '../theme.ts';
import type { CandleView } from './candle-view.ts';

export function CandleChart({ symbol, candles }: { symbol: string; candles: readonly Candle[] }) {
  const container = useRef<HTMLDivElement | null>(null);
  const view = useRef<CandleView | undefined>(undefined);
  const newest = useRef(candles);
  newest.current = candles;
  // A new instrument or theme needs a new chart.
  const dark = isDark.value;
  useEffect(() => {
    let isUnmounted = false;
    void import('./candle-view.ts').then(({ createCandleView }) => {
      if (isUnmounted || container.current === null) return;
      view.current = createCandleView(container.current);
      view.current.set(newest.current);
    });
    return () => {
      isUnmounted = true;
      view.current?.remove();
      view.current = undefined;
    };
  }, [symbol, dark]);
  useEffect(() => view.current?.set(candles), [candles]);
  return (
    <>
      <div class="candles" ref={container} role="img" aria-label={`Candles of ${symbol}`} />
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
