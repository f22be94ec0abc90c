// Runs fuzz targets in turn until the time is over. The parent of this process detects a hang.

import { inspect } from 'node:util';
import { Random } from '@tickbus/test-kit/random';
import fc from 'fast-check';
import type { FuzzTarget } from './target.ts';

export interface FuzzFailure {
  readonly target: string;
  /** Seed of the check: `--target NAME --seed SEED --once` repeats it. */
  readonly seed: number;
  readonly problem: string;
  /** The smallest known input that causes the failure. */
  readonly input: string;
}

export interface FuzzSummary {
  /** Checked inputs, by target. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly failures: readonly FuzzFailure[];
}

export interface FuzzOptions {
  readonly targets: readonly FuzzTarget[];
  readonly seed: number;
  readonly ms: number;
  /** Stops after one check of each target. Each check uses `seed` itself, not a seed derived from it. */
  readonly once?: boolean;
  /** Called before each input. */
  readonly onInput?: (target: string, seed: number) => void;
  readonly onFailure?: (failure: FuzzFailure) => void;
}

const RUNS = 100;
/** Shrinking stops after this time. */
const MAX_SHRINK_MS = 30_000;
const MAX_INPUT_TEXT = 2_000;

/** A target that failed is not checked again, because it would fail again and again. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzSummary> {
  const { targets, ms, once = false, onFailure = () => {} } = options;
  const random = new Random(options.seed).fork('fuzz');
  const endAt = performance.now() + ms;
  const inputs: Record<string, number> = {};
  const failures: FuzzFailure[] = [];
  let rejection: unknown;
  const onRejection = (reason: unknown) => {
    rejection ??= reason;
  };
  process.on('unhandledRejection', onRejection);
  let left = [...targets];
  while (left.length > 0 && performance.now() < endAt) {
    for (const target of left) {
      if (performance.now() > endAt) break;
      const seed = once ? options.seed : random.int(0, 2 ** 31 - 1);
      const { failure, count } = await checkOnce(target, seed, options);
      inputs[target.name] = (inputs[target.name] ?? 0) + count;
      const found = failure ?? (rejection === undefined ? undefined : rejectionOf(target, seed, rejection));
      rejection = undefined;
      if (found === undefined) continue;
      failures.push(found);
      onFailure(found);
      left = left.filter((one) => one !== target);
    }
    if (once) break;
  }
  process.off('unhandledRejection', onRejection);
  return { inputs, failures };
}

async function checkOnce(
  { name, inputs, runs = RUNS, check }: FuzzTarget,
  seed: number,
  { onInput = () => {} }: FuzzOptions,
): Promise<{ failure: FuzzFailure | undefined; count: number }> {
  let failedAt: number | undefined;
  const property = fc.asyncProperty(inputs, async (input) => {
    // After the time limit, skips every input, so that shrinking ends with the smallest input so far.
    fc.pre(failedAt === undefined || performance.now() - failedAt < MAX_SHRINK_MS);
    onInput(name, seed);
    try {
      await check(input);
    } catch (error) {
      failedAt ??= performance.now();
      throw error;
    }
  });
  const details = await fc.check(property, { seed, numRuns: runs });
  if (!details.failed) return { failure: undefined, count: details.numRuns };
  const error: unknown = details.errorInstance;
  const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const failure = { target: name, seed, problem, input: inputText(details.counterexample?.[0]) };
  return { failure, count: details.numRuns };
}

function rejectionOf({ name: target }: FuzzTarget, seed: number, reason: unknown): FuzzFailure {
  return {
    target,
    seed,
    problem: `Unhandled rejection: ${inspect(reason)}`,
    input: 'one of the inputs of this check',
  };
}

/** The input as JSON, to paste into a test. Bytes are shown as latin1 text. */
function inputText(input: unknown): string {
  const text = JSON.stringify(input, (_, value: unknown) => {
    const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
    return type === 'Buffer' && Array.isArray(data)
      ? Buffer.from(data as number[]).toString('latin1')
      : value;
  });
  return text.length > MAX_INPUT_TEXT
    ? `${text.slice(0, MAX_INPUT_TEXT)}... (${text.length} characters)`
    : text;
}
