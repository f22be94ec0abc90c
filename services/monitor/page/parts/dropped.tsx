// Says that the monitor dropped rows, because there were too many.

import type { Dropped as Counts } from '../../page-protocol.ts';
import { count } from '../display-format.ts';
import { dropped } from '../store.ts';

interface Props {
  readonly of: keyof Counts;
  /** What was dropped, and which of them. */
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
