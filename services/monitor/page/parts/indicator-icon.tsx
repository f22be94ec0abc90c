// A status icon: the state shows in the shape as well as in the colour.

import type { IndicatorState } from '../../page-protocol.ts';

export function IndicatorIcon({ state }: { state: IndicatorState }) {
  return (
    <svg class={`indicator-icon ${state}`} viewBox="0 0 16 16" aria-hidden="true">
      {state === 'ok' && <circle cx="8" cy="8" r="5" />}
      {state === 'warn' && <path d="M8 2 14.5 13.5h-13Z" />}
      {state === 'bad' && <path d="M8 1.5 14.5 8 8 14.5 1.5 8Z" />}
      {state === 'unknown' && <circle cx="8" cy="8" r="4.5" class="hollow" />}
    </svg>
  );
}
