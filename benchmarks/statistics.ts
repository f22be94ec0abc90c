// The arithmetic of the results: medians with their range, and ratios taken pair by pair.

/** A figure over several runs. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** @throws RangeError when there is no value */
export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError('There is no value to take a median of.');
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] as number;
  const high = sorted[Math.ceil(middle)] as number;
  return { median: (low + high) / 2, min, max, runs: sorted.length };
}

/**
 * Ours over theirs, pair by pair: the two of a pair ran one after the other, so a machine that is slower for a while is slower
 * for both. What has no partner is left out.
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

/** The order of the participants in a round: every round begins with another one. */
export function rotated<T>(items: readonly T[], round: number): readonly T[] {
  if (items.length === 0) return items;
  const start = round % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
