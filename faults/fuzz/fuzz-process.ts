// The process that runs the fuzz targets. The parent process kills it if it hangs.

import { type FuzzFailure, type FuzzSummary, runFuzz } from './fuzz-run.ts';
import { TARGETS } from './targets/fuzz-targets.ts';

export interface FuzzSettings {
  readonly seed: number;
  readonly ms: number;
  readonly once: boolean;
  /** Names of the targets to run; empty: all. */
  readonly only: readonly string[];
}

export type FuzzMessage =
  /** Sent before each input. */
  | { readonly type: 'input'; readonly target: string; readonly seed: number }
  | { readonly type: 'failure'; readonly failure: FuzzFailure }
  | { readonly type: 'summary'; readonly summary: FuzzSummary };

const { only, ...settings } = JSON.parse(process.argv[2] ?? '{}') as FuzzSettings;
const send = (message: FuzzMessage) => process.send?.(message);
const summary = await runFuzz({
  ...settings,
  targets: only.length === 0 ? TARGETS : TARGETS.filter(({ name }) => only.includes(name)),
  onInput: (target, seed) => send({ type: 'input', target, seed }),
  onFailure: (failure) => send({ type: 'failure', failure }),
});
send({ type: 'summary', summary });
process.disconnect?.();
