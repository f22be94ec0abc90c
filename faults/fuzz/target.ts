// A fuzz target: where its inputs come from, and what must hold for each.

import type fc from 'fast-check';

export interface FuzzTarget<Input = unknown> {
  readonly name: string;
  readonly inputs: fc.Arbitrary<Input>;
  /** Inputs in one check. Default 100. */
  readonly runs?: number;
  /** @throws Error if the tested code breaks a guarantee for this input */
  readonly check: (input: Input) => void | Promise<void>;
}

/** Checks that `inputs` and `check` have the same input type. The result hides that type. */
export function defineTarget<Input>(target: FuzzTarget<Input>): FuzzTarget {
  return target as FuzzTarget;
}

/** Maximum duration of a single call, in milliseconds. */
const MAX_CALL_MS = 100;
/** A slow call is repeated, because garbage collection or another process can delay a single call. */
const ATTEMPTS = 4;

/**
 * The outcome of `action`. A slow action is repeated.
 *
 * @throws Error if every attempt takes longer than `MAX_CALL_MS` of CPU time; otherwise whatever `action` throws
 */
export function timed<T>(what: string, action: () => T): T {
  let fastestMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const outcome = measured(action);
    fastestMs = Math.min(fastestMs, outcome.ms);
    if (fastestMs > MAX_CALL_MS) continue;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }
  throw new Error(`${what} takes ${Math.round(fastestMs)} ms; the limit is ${MAX_CALL_MS} ms.`);
}

type Measured<T> = { readonly ms: number } & ({ readonly value: T } | { readonly error: unknown });

function measured<T>(action: () => T): Measured<T> {
  const [startedAt, startedCpu] = [performance.now(), process.cpuUsage()];
  const elapsed = () => {
    const { user, system } = process.cpuUsage(startedCpu);
    return Math.min(performance.now() - startedAt, (user + system) / 1_000);
  };
  try {
    const value = action();
    return { ms: elapsed(), value };
  } catch (error) {
    return { ms: elapsed(), error };
  }
}
