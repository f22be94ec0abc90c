// A scrollable region that the keyboard can reach.

import type { ComponentChildren } from 'preact';

export function ScrollRegion({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach scrollable content
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
