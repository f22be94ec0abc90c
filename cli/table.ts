// Text tables.

export type Alignment = 'left' | 'right';

export interface TableFit {
  /** Characters per line. */
  readonly width: number;
  /** Groups of columns to omit, in this order, until the others fit. */
  readonly spare: readonly (readonly string[])[];
  /** The last column, if a narrow terminal may cut it off. */
  readonly text?: string;
}

/** Omits spare columns until the table fits the width. */
export function fittingTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Alignment[],
  { width, spare, text }: TableFit,
): string[] {
  const widths = widthsOf([head, ...rows]);
  const shown = new Set(head);
  const needed = () =>
    head.reduce((sum, name, column) => {
      const counts = shown.has(name) && name !== text;
      return counts ? sum + (widths[column] ?? 0) + GAP.length : sum;
    }, -GAP.length);
  for (const names of spare) if (needed() > width) for (const name of names) shown.delete(name);
  const pick = <T>(cells: readonly T[]) => cells.filter((_, column) => shown.has(head[column] ?? ''));
  return table(pick(head), rows.map(pick), pick(head.map((_, column) => align[column] ?? 'left')));
}

/** Aligns columns two blanks apart, without trailing blanks. */
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

/** Colour codes have no width. */
function visibleLength(text: string): number {
  return [...text.replace(COLOURS, '')].length;
}

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
