// Tables of text.

export type Alignment = 'left' | 'right';

/** Lines of equal columns, two blanks apart; numbers are given as text. Nothing stands behind the last column. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Alignment[] = [],
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => visibleLength(row[column] ?? ''))));
  return all.map((row) =>
    row
      .map((cell, column) => {
        const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell)));
        return align[column] === 'right' ? blanks + cell : cell + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Colours take no place. */
function visibleLength(text: string): number {
  return [...text.replace(COLOURS, '')].length;
}

const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
