// TradingView's Lightweight Charts, in the page's colours.

import { CandlestickSeries, createChart, type UTCTimestamp } from 'lightweight-charts';
import type { Candle } from '../../page-protocol.ts';

export interface CandleView {
  set(candles: readonly Candle[]): void;
  remove(): void;
}

export function createCandleView(place: HTMLElement): CandleView {
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const chart = createChart(place, {
    autoSize: true,
    // Its own mark would need an inline style, which the page's policy forbids; the attribution stands below the chart.
    layout: {
      attributionLogo: false,
      background: { color: 'transparent' },
      textColor: colour('--muted'),
      fontSize: 11,
      fontFamily: style.fontFamily,
    },
    grid: { vertLines: { color: colour('--line') }, horzLines: { color: colour('--line') } },
    // Room at the right, or the time of the newest candle is cut off.
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
  // The chart knows no time zones; so it is given the time of this one.
  const offset = -new Date().getTimezoneOffset() * 60;
  return {
    set: (candles) =>
      series.setData(candles.map((candle) => ({ ...candle, time: (candle.time + offset) as UTCTimestamp }))),
    remove: () => chart.remove(),
  };
}
