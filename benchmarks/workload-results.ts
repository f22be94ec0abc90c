// Results as data: one file per workload in `results/`, which git ignores. RESULTS.md is generated from them.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Metric, RunSample } from './workloads/workload.ts';

/** The measurements of one workload. */
export interface WorkloadResult {
  readonly workload: string;
  readonly title: string;
  readonly about: string;
  readonly metrics: readonly Metric[];
  /** UTC, ISO 8601. */
  readonly measuredAt: string;
  readonly machine: Machine;
  readonly seed: number;
  readonly pairs: number;
  readonly secondsARun: number;
  readonly participants: readonly ParticipantResult[];
  readonly skipped: readonly Skipped[];
}

export interface ParticipantResult {
  readonly name: string;
  readonly title: string;
  readonly versions: string;
  /** By round. The samples of two participants in one round are a pair. */
  readonly samples: readonly RunSample[];
}

export interface Skipped {
  readonly participant: string;
  readonly why: string;
}

/** Replaces the folder, so that it never mixes two runs. */
export function writeResults(folder: string, results: readonly WorkloadResult[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const result of results)
    writeFileSync(join(folder, `${result.workload}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
}

/**
 * Reads the results of the last whole run, in the given order of workloads.
 *
 * @throws Error if a workload is missing, because the page would look complete without it
 */
export function readResults(folder: string, order: readonly string[]): WorkloadResult[] {
  const missing = order.filter((name) => !existsSync(join(folder, `${name}.json`)));
  if (missing.length > 0) {
    throw new Error(
      `${folder} has no data of ${missing.join(', ')}, so RESULTS.md is unchanged. ` +
        'Run "npm run bench" without --quick, --only, --peer and --baseline first.',
    );
  }
  return order.map(
    (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as WorkloadResult,
  );
}

/** The values of one metric by round; NaN for a round that has none. */
export function valuesOf(participant: ParticipantResult, metric: string): number[] {
  return participant.samples.map((sample) => sample[metric] ?? Number.NaN);
}
