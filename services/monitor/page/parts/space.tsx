// Stands in a table for the rows that are not drawn.

export function Space({ rows, height, columns }: { rows: number; height: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus, and it says nothing
    <tr aria-hidden="true">
      <td class="space" colSpan={columns} style={{ height: `${rows * height}px` }} />
    </tr>
  );
}
