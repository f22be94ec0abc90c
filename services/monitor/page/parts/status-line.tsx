// The sentence about the whole bus: what is wrong, worst first, or that all is well.

import { isLive, status } from '../store.ts';

export function StatusLine() {
  const { state, sentence } = (isLive.value ? status.value : undefined) ?? UNKNOWN;
  return (
    <p class="status-line" data-state={state} title={sentence}>
      {sentence}
    </p>
  );
}

const UNKNOWN = { state: 'unknown', sentence: 'Cannot tell: no connection to the monitor.' } as const;
