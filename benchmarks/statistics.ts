// Medians with their range, ratios per pair, and the rotation of participants.

/** A figure over several runs. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** @throws RangeError without values */
export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError('Cannot compute a median of no values.');
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] as number;
  const high = sorted[Math.ceil(middle)] as number;
  return { median: (low + high) / 2, min, max, runs: sorted.length };
}

/**
 * The ratio ours / theirs per pair. The two runs of a pair follow each other, so a temporarily slow machine affects
 * both. Values without a partner are ignored.
 */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Figure | undefined {
  const pairs = Math.min(ours.length, theirs.length);
  const ratios: number[] = [];
  for (let index = 0; index < pairs; index++) {
    const ratio = (ours[index] as number) / (theirs[index] as number);
    if (Number.isFinite(ratio)) ratios.push(ratio);
  }
  return ratios.length === 0 ? undefined : figureOf(ratios);
}

/** The order of the participants in a round. Each round starts with the next participant. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  if (items.length === 0) return items;
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
