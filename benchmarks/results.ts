// Results as data: one file a workload, which the page and the last line of `--json` are made from.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { Metric, Sample } from './workloads/workload.ts';

/** One workload as it was measured. */
export interface Result {
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
  readonly isQuick: boolean;
  readonly participants: readonly ParticipantResult[];
  readonly skipped: readonly Skipped[];
}

export interface ParticipantResult {
  readonly name: string;
  readonly title: string;
  readonly versions: string;
  /** By round; the same round of two participants is a pair. */
  readonly samples: readonly Sample[];
}

export interface Skipped {
  readonly participant: string;
  readonly why: string;
}

export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.workload}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
}

/** What was measured before, in the given order of workloads. */
export function readResults(folder: string, order: readonly string[]): Result[] {
  const present = new Set(filesIn(folder));
  return order
    .filter((name) => present.has(`${name}.json`))
    .map((name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Result);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The values of one metric by round; a round in which it could not be taken gives NaN. */
export function valuesOf(participant: ParticipantResult, metric: string): number[] {
  return participant.samples.map((sample) => sample[metric] ?? Number.NaN);
}
