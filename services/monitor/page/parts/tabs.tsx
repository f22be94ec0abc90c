// Activity tabs: message tail, commands and events.

import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { Commands } from './commands.tsx';
import { Events } from './events.tsx';
import { Tail } from './tail.tsx';

const TABS: readonly { readonly name: string; readonly Panel: FunctionComponent }[] = [
  { name: 'Tail', Panel: Tail },
  { name: 'Commands', Panel: Commands },
  { name: 'Events', Panel: Events },
];

/** The Events tab opens first, because events show what is wrong. */
const selected = signal('Events');

export function Tabs() {
  const { Panel } = TABS.find(({ name }) => name === selected.value) ?? { Panel: Events };
  return (
    <section class="panel activity" aria-label="Activity">
      <div class="tabs" role="tablist" aria-label="Activity" onKeyDown={selectByArrowKey}>
        {TABS.map(({ name }) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            class="tab"
            aria-selected={selected.value === name}
            aria-controls="activity"
            tabIndex={selected.value === name ? 0 : -1}
            onClick={() => {
              selected.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <div class="tab-panel" role="tabpanel" id="activity" aria-labelledby={`tab-${selected.value}`}>
        <Panel />
      </div>
    </section>
  );
}

/** The arrow keys move between tabs. */
function selectByArrowKey(event: KeyboardEvent): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return;
  const from = TABS.findIndex(({ name }) => name === selected.value);
  const target = TABS[(from + step + TABS.length) % TABS.length]?.name ?? 'Events';
  selected.value = target;
  document.getElementById(`tab-${target}`)?.focus();
}
