// Tables of text.

export type Alignment = 'left' | 'right';

export interface Fit {
  /** Characters of a line. */
  readonly width: number;
  /** Names of columns that are left out, in this order, until the others fit; some only together. */
  readonly spare: readonly (readonly string[])[];
  /** The name of a last column of text, which a line may cut off. */
  readonly text?: string;
}

/** The table without as many of its spare columns as a narrow screen has no place for. */
export function fittingTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Alignment[],
  { width, spare, text }: Fit,
): string[] {
  const widths = widthsOf([head, ...rows]);
  const left = new Set(head);
  const needed = () =>
    head.reduce((sum, name, column) => {
      const counts = left.has(name) && name !== text;
      return counts ? sum + (widths[column] ?? 0) + GAP.length : sum;
    }, -GAP.length);
  for (const names of spare) if (needed() > width) for (const name of names) left.delete(name);
  const pick = <T>(cells: readonly T[]) => cells.filter((_, column) => left.has(head[column] ?? ''));
  return table(pick(head), rows.map(pick), pick(head.map((_, column) => align[column] ?? 'left')));
}

/** Lines of equal columns, two blanks apart; numbers are given as text. Nothing stands behind the last column. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Alignment[] = [],
): string[] {
  const all = [head, ...rows];
  const widths = widthsOf(all);
  return all.map((row) =>
    row
      .map((cell, column) => {
        const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell)));
        return align[column] === 'right' ? blanks + cell : cell + blanks;
      })
      .join(GAP)
      .trimEnd(),
  );
}

const GAP = '  ';

function widthsOf(lines: readonly (readonly string[])[]): number[] {
  const [head = []] = lines;
  return head.map((_, column) => Math.max(...lines.map((line) => visibleLength(line[column] ?? ''))));
}

/** Colours take no place. */
function visibleLength(text: string): number {
  return [...text.replace(COLOURS, '')].length;
}

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
