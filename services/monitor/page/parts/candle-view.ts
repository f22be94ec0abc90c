// TradingView Lightweight Charts in the colours of the page.

import { CandlestickSeries, createChart, type UTCTimestamp } from 'lightweight-charts';
import type { Candle } from '../../api-protocol.ts';

export interface CandleView {
  set(candles: readonly Candle[]): void;
  remove(): void;
}

export function createCandleView(container: HTMLElement): CandleView {
  const style = getComputedStyle(container);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const chart = createChart(container, {
    autoSize: true,
    // The built-in logo needs an inline style, which the Content-Security-Policy forbids. candle-chart.tsx shows the
    // attribution instead.
    layout: {
      attributionLogo: false,
      background: { color: 'transparent' },
      textColor: colour('--muted'),
      fontSize: 11,
      fontFamily: style.fontFamily,
    },
    grid: { vertLines: { color: colour('--line') }, horzLines: { color: colour('--line') } },
    // Without an offset, the time label of the newest candle is cut off.
    timeScale: { rightOffset: 4, timeVisible: true, secondsVisible: true, borderColor: colour('--line') },
    rightPriceScale: { borderColor: colour('--line') },
  });
  const [up, down] = [colour('--ok'), colour('--bad')];
  const series = chart.addSeries(CandlestickSeries, {
    upColor: up,
    wickUpColor: up,
    downColor: down,
    wickDownColor: down,
    borderVisible: false,
  });
  // The chart has no time zone support; shift UTC to local time.
  const offset = -new Date().getTimezoneOffset() * 60;
  return {
    set: (candles) =>
      series.setData(candles.map((candle) => ({ ...candle, time: (candle.time + offset) as UTCTimestamp }))),
    remove: () => chart.remove(),
  };
}
