// Messages a second over the last two minutes.

import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series } from '../../page-protocol.ts';
import { isDark } from '../theme.ts';

const HEIGHT = 110;
const LENGTH = 120;

export function RateChart({ values, label }: { values: Series; label: string }) {
  const place = useRef<HTMLDivElement | null>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  // Its colours are read anew when the theme changes.
  const dark = isDark.value;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new UPlot(optionsOf(element), dataOf(values), element);
    chart.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [dark]);
  useEffect(() => chart.current?.setData(dataOf(values)), [values]);
  return <div class="chart" ref={place} role="img" aria-label={label} />;
}

/** Seconds before now, and the values; what is not known yet is left out. */
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
