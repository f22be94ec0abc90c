// Stands in a table for the rows that are not drawn.

export function Spacer({ rows, height }: { rows: number; height: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus, and it says nothing
    <tr aria-hidden="true">
      {/* One cell, whatever the columns: over more than are shown it would make room for those that are hidden. */}
      <td class="spacer" style={{ height: `${rows * height}px` }} />
    </tr>
  );
}
