// What goes on: the messages as they come, the commands, and the events.

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

/** Events first: they tell what is wrong. */
const chosen = signal('Events');

export function Tabs() {
  const { Panel } = TABS.find(({ name }) => name === chosen.value) ?? { Panel: Events };
  return (
    <section class="panel activity" aria-label="What goes on">
      <div class="tabs" role="tablist" aria-label="What goes on" onKeyDown={goOn}>
        {TABS.map(({ name }) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            class="tab"
            aria-selected={chosen.value === name}
            aria-controls="activity"
            tabIndex={chosen.value === name ? 0 : -1}
            onClick={() => {
              chosen.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <div class="tab-panel" role="tabpanel" id="activity" aria-labelledby={`tab-${chosen.value}`}>
        <Panel />
      </div>
    </section>
  );
}

/** The arrow keys go from tab to tab. */
function goOn(event: KeyboardEvent): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return;
  const from = TABS.findIndex(({ name }) => name === chosen.value);
  const target = TABS[(from + step + TABS.length) % TABS.length]?.name ?? 'Events';
  chosen.value = target;
  document.getElementById(`tab-${target}`)?.focus();
}
