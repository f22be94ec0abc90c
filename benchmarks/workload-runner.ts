// Runs one workload: opens all participants, then measures them one by one in each round.

import { missingRequirement, participant as participantOf, versionsOf } from './participants.ts';
import { rotated } from './statistics.ts';
import type { ParticipantResult, Skipped } from './workload-results.ts';
import type { OpenWorkload, RunSample, Workload, WorkloadContext } from './workloads/workload.ts';

export interface WorkloadRunOptions {
  readonly workload: Workload;
  readonly participants: readonly string[];
  /** Measured rounds. Each participant runs once per round, in rotating order. */
  readonly pairs: number;
  /** Publishing time of one run. */
  readonly seconds: number;
  readonly context: WorkloadContext;
  readonly log: (line: string) => void;
}

export interface Outcome {
  readonly participants: readonly ParticipantResult[];
  readonly skipped: readonly Skipped[];
}

interface OpenParticipant {
  readonly name: string;
  readonly running: OpenWorkload;
  readonly samples: RunSample[];
}

/** Minimum warm-up time, so that the engine optimizes the hot code. */
const WARM_UP_SECONDS = 0.5;

export async function run(options: WorkloadRunOptions): Promise<Outcome> {
  const { pairs } = options;
  const skipped: Skipped[] = [];
  let ready: OpenParticipant[] = [];
  try {
    ready = await openAll(options, skipped);
    // Round -1 is the warm-up.
    for (let round = -1; round < pairs; round++) await runRound(options, round, ready, skipped);
  } finally {
    for (const { running } of ready) await running[Symbol.asyncDispose]();
  }
  return { participants: ready.filter(({ samples }) => samples.length > 0).map(resultOf), skipped };
}

/** Opens all participants in parallel, because each waits for its own server and lease. */
async function openAll(
  { workload, participants, context, log }: WorkloadRunOptions,
  skipped: Skipped[],
): Promise<OpenParticipant[]> {
  const opened = participants.map(async (name): Promise<OpenParticipant[]> => {
    try {
      const missing = missingRequirement(name);
      if (missing !== undefined) throw new Error(missing);
      return [{ name, running: await workload.open(name, context), samples: [] }];
    } catch (error) {
      skip(name, error, skipped, log);
      return [];
    }
  });
  return (await Promise.all(opened)).flat();
}

async function runRound(
  { seconds, log }: WorkloadRunOptions,
  round: number,
  ready: readonly OpenParticipant[],
  skipped: Skipped[],
): Promise<void> {
  for (const { name, running, samples } of rotated(ready, Math.max(0, round))) {
    if (skipped.some(({ participant }) => participant === name)) continue;
    try {
      const sample = await running.run(round < 0 ? Math.max(seconds, WARM_UP_SECONDS) : seconds);
      if (round >= 0) samples.push(sample);
    } catch (error) {
      skip(name, error, skipped, log);
    }
  }
}

function skip(participant: string, error: unknown, skipped: Skipped[], log: (line: string) => void): void {
  const why = error instanceof Error ? error.message : String(error);
  skipped.push({ participant, why });
  log(`  ${participantOf(participant).title} is skipped: ${why}`);
}

function resultOf({ name, samples }: OpenParticipant): ParticipantResult {
  return { name, title: participantOf(name).title, versions: versionsOf(name), samples };
}
