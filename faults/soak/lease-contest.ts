// The candidates for the lease of one channel, and the takeovers between them.

import type { Random } from '@tickbus/test-kit/random';
import type { FaultChannel } from '../fault-channels.ts';
import type { LeaseCandidate } from '../lease-candidate.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { WorkerCandidate } from '../worker-candidate.ts';

export interface LeaseContest {
  readonly channel: FaultChannel;
  readonly candidates: readonly [LeaseCandidate, LeaseCandidate];
}

export function holderOf({ candidates }: LeaseContest): LeaseCandidate | undefined {
  return candidates.find(({ lease }) => lease.holds);
}

/** The holder releases the lease, then becomes a candidate again. */
export async function handOver(contest: LeaseContest): Promise<void> {
  const holder = holderOf(contest);
  if (holder === undefined) return;
  await holder.lease.release();
  await holder.start();
}

/** A candidate in a separate process gains the lease, and is killed while it publishes. */
export async function killHolder(contest: LeaseContest, testbed: Testbed, random: Random): Promise<void> {
  const worker = new WorkerCandidate(testbed, contest.channel, { name: 'killed' });
  await Promise.all(contest.candidates.map(({ lease }) => lease.release()));
  await worker.untilGained();
  await delay(random.int(1, 300));
  await worker.end('kill');
  await Promise.all(contest.candidates.map((candidate) => candidate.start()));
}
