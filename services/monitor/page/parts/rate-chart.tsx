// Messages per second over the last two minutes.

import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series } from '../../page-protocol.ts';
import { isDark } from '../theme.ts';

const HEIGHT = 110;
const LENGTH = 120;

export function RateChart({ values, label }: { values: Series; label: string }) {
  const container = useRef<HTMLDivElement | null>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  // The chart reads its colours once, so a theme change needs a new chart.
  const dark = isDark.value;
  useEffect(() => {
    const element = container.current;
    if (element === null) return;
    const plot = new UPlot(optionsOf(element), dataOf(values), element);
    chart.current = plot;
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [dark]);
  useEffect(() => chart.current?.setData(dataOf(values)), [values]);
  return <div class="chart" ref={container} role="img" aria-label={label} />;
}

/** X axis in seconds before now. Missing older values are null. */
function dataOf(values: Series): UPlot.AlignedData {
  const times = Array.from({ length: LENGTH }, (_, index) => index - LENGTH + 1);
  const missing = Math.max(0, LENGTH - values.length);
  return [times, [...new Array<null>(missing).fill(null), ...values.slice(-LENGTH)]];
}

function optionsOf(element: HTMLElement): UPlot.Options {
  const style = getComputedStyle(element);
  const [text, line, stroke] = ['--muted', '--line', '--accent'].map((name) => style.getPropertyValue(name));
  const axis = { stroke: text ?? '', grid: { stroke: line ?? '', width: 1 }, ticks: { show: false } };
  const font = `11px ${style.fontFamily}`;
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 18, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: false }, y: { range: (_, __, top) => [0, Math.max(1, top * 1.1)] } },
    axes: [
      {
        ...axis,
        font,
        size: 20,
        values: (_, ticks) => ticks.map((tick) => (tick === 0 ? 'now' : `${tick} s`)),
      },
      { ...axis, font, size: 46, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString('en-US')) },
    ],
    series: [{}, { stroke: stroke ?? '', width: 1.5, points: { show: false }, spanGaps: false }],
  };
}
