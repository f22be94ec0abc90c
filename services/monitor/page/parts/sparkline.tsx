// A line chart of the last minute, without axes.

import type { Series } from '../../page-protocol.ts';

const WIDTH = 80;
const HEIGHT = 18;

export function Sparkline({ values, length }: { values: Series; length: number }) {
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {values.length > 1 && <polyline points={pointsOf(values, length)} />}
    </svg>
  );
}

/** The newest value is at the right edge. */
function pointsOf(values: Series, length: number): string {
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  const step = WIDTH / (length - 1);
  const first = WIDTH - (values.length - 1) * step;
  return values
    .map((value, index) => {
      const height = span === 0 ? 0.5 : (value - low) / span;
      return `${(first + index * step).toFixed(1)},${(HEIGHT - 1 - height * (HEIGHT - 2)).toFixed(1)}`;
    })
    .join(' ');
}
