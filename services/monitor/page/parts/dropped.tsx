// Shows how many rows the monitor has dropped because there were too many.

import type { Dropped as Counts } from '../../page-protocol.ts';
import { count } from '../display-format.ts';
import { dropped } from '../store.ts';

interface Props {
  readonly of: keyof Counts;
  /** Tooltip: what the monitor drops, and in which order. */
  readonly title: string;
}

export function Dropped({ of, title }: Props) {
  const dropCount = dropped.value?.[of] ?? 0;
  if (dropCount === 0) return null;
  return (
    <span class="alert-text" data-dropped={of} title={title}>
      {count(dropCount)} dropped
    </span>
  );
}
