// Runs one workload: opens all participants, then measures them one after the other, round after round.

import { missing, participant as participantOf, versionsOf } from './participants.ts';
import { rotated } from './statistics.ts';
import type { ParticipantResult, Skipped } from './workload-results.ts';
import type { OpenWorkload, RunSample, Workload, WorkloadContext } from './workloads/workload.ts';

export interface WorkloadRunOptions {
  readonly workload: Workload;
  readonly participants: readonly string[];
  /** Rounds that count. Each participant runs once in each, in rotating order. */
  readonly pairs: number;
  /** Seconds that one run publishes. */
  readonly seconds: number;
  readonly context: WorkloadContext;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly participants: readonly ParticipantResult[];
  readonly skipped: readonly Skipped[];
}

interface Contestant {
  readonly name: string;
  readonly running: OpenWorkload;
  readonly samples: RunSample[];
}

/** Long enough for the engine to optimize the hot code. */
const WARM_UP_SECONDS = 0.5;

export async function run(options: WorkloadRunOptions): Promise<Outcome> {
  const { pairs } = options;
  const skipped: Skipped[] = [];
  let ready: Contestant[] = [];
  try {
    ready = await openAll(options, skipped);
    // Round -1 warms up and is not counted.
    for (let round = -1; round < pairs; round++) await runRound(options, round, ready, skipped);
  } finally {
    for (const { running } of ready) await running[Symbol.asyncDispose]();
  }
  return { participants: ready.filter(({ samples }) => samples.length > 0).map(resultOf), skipped };
}

/** All at once: each has a server of its own, and waits for its lease. */
async function openAll(
  { workload, participants, context, say }: WorkloadRunOptions,
  skipped: Skipped[],
): Promise<Contestant[]> {
  const opened = participants.map(async (name): Promise<Contestant[]> => {
    try {
      const lacking = missing(name);
      if (lacking !== undefined) throw new Error(lacking);
      return [{ name, running: await workload.open(name, context), samples: [] }];
    } catch (error) {
      skip(name, error, skipped, say);
      return [];
    }
  });
  return (await Promise.all(opened)).flat();
}

async function runRound(
  { seconds, say }: WorkloadRunOptions,
  round: number,
  ready: readonly Contestant[],
  skipped: Skipped[],
): Promise<void> {
  for (const { name, running, samples } of rotated(ready, Math.max(0, round))) {
    if (skipped.some(({ participant }) => participant === name)) continue;
    try {
      const sample = await running.run(round < 0 ? Math.max(seconds, WARM_UP_SECONDS) : seconds);
      if (round >= 0) samples.push(sample);
    } catch (error) {
      skip(name, error, skipped, say);
    }
  }
}

function skip(participant: string, error: unknown, skipped: Skipped[], say: (line: string) => void): void {
  const why = error instanceof Error ? error.message : String(error);
  skipped.push({ participant, why });
  say(`  ${participantOf(participant).title} is left out: ${why}`);
}

function resultOf({ name, samples }: Contestant): ParticipantResult {
  return { name, title: participantOf(name).title, versions: versionsOf(name), samples };
}
