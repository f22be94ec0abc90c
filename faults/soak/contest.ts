// The candidates for the lease of one channel, and how the lease passes from one to the next.

import type { Random } from '@tickbus/test-kit/random';
import type { Candidate } from '../candidate.ts';
import type { NoteChannel } from '../channels.ts';
import type { Stage } from '../stage.ts';
import { pass } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';

export interface Contest {
  readonly channel: NoteChannel;
  readonly candidates: readonly [Candidate, Candidate];
}

export function holderOf({ candidates }: Contest): Candidate | undefined {
  return candidates.find(({ lease }) => lease.holds);
}

/** The holder releases the lease, and is a candidate again. */
export async function handOver(contest: Contest): Promise<void> {
  const holder = holderOf(contest);
  if (holder === undefined) return;
  await holder.lease.release();
  await holder.start();
}

/** A candidate in a process of its own has the lease for a moment, and is killed while it publishes. */
export async function killHolder(contest: Contest, stage: Stage, random: Random): Promise<void> {
  const worker = new WorkerCandidate(stage, contest.channel, { name: 'killed' });
  await Promise.all(contest.candidates.map(({ lease }) => lease.release()));
  await worker.gains();
  await pass(random.int(1, 300));
  await worker.end('kill');
  await Promise.all(contest.candidates.map((candidate) => candidate.start()));
}
