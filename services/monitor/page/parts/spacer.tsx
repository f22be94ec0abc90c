// Takes the place of table rows that are not rendered.

export function Spacer({ rows, height }: { rows: number; height: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: it has no focusable content and no text
    <tr aria-hidden="true">
      {/* A single cell: a colspan would reserve width for hidden columns. */}
      <td class="spacer" style={{ height: `${rows * height}px` }} />
    </tr>
  );
}
