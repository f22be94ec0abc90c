// Findings about a master behind Redis Sentinel: sentinels, replicas, and what happens to a master that is cut off.

import type { ServerReport } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

/** With fewer sentinels, the majority that a failover needs is lost with one of them. */
const MIN_SENTINELS = 3;
/** With fewer replicas, a lease is not granted after a failover until the failed server is back. */
const MIN_REPLICAS = 2;

/** Empty if the address names no sentinels. See docs/sentinel.md. */
export function sentinelFindings(server: ServerReport): DoctorFinding[] {
  if (server.sentinels === undefined) return [];
  return [sentinelsOf(server.sentinels), ...replicasOf(server), ...isolationOf(server)];
}

function sentinelsOf({
  name,
  answering,
  known,
  failures,
}: NonNullable<ServerReport['sentinels']>): DoctorFinding {
  const subject = 'sentinels';
  const found = `${answering} of ${known} sentinels of "${name}" answer`;
  const reasons = failures.length === 0 ? '' : ` (${failures.join('; ')})`;
  if (answering * 2 <= known) {
    const advice = `A failover needs a majority of them, so none can happen now: start the others${reasons}.`;
    return { subject, level: 'fail', found, advice };
  }
  if (answering < known || failures.length > 0)
    return { subject, level: 'warn', found, advice: `Start the others, or correct the address${reasons}.` };
  if (known >= MIN_SENTINELS) return { subject, level: 'ok', found };
  const advice = `Run ${MIN_SENTINELS} on different machines: without a majority of them there is no failover.`;
  return { subject, level: 'warn', found, advice };
}

function replicasOf({ replicas }: ServerReport): DoctorFinding[] {
  if (replicas === undefined) return [];
  const subject = 'replicas';
  const found = `the master has ${replicas === 1 ? '1 replica' : `${replicas} replicas`}`;
  if (replicas === 0) {
    const advice = 'Nothing can take over, and gateways hold no lease: start a replica.';
    return [{ subject, level: 'fail', found, advice }];
  }
  if (replicas >= MIN_REPLICAS) return [{ subject, level: 'ok', found }];
  const advice =
    'After a failover, gateways hold no lease until the failed server is back: run two replicas.';
  return [{ subject, level: 'warn', found, advice }];
}

function isolationOf({ minReplicas, replicas = minReplicas }: ServerReport): DoctorFinding[] {
  if (minReplicas === undefined) return [];
  const subject = 'isolation';
  if (Number(replicas) < minReplicas) {
    const found = `the master rejects every message: it has fewer replicas than min-replicas-to-write (${minReplicas})`;
    const advice = 'Start replicas, or lower the number: CONFIG SET min-replicas-to-write';
    return [{ subject, level: 'fail', found, advice }];
  }
  if (minReplicas > 0) {
    const found = `the master rejects writes without ${minReplicas === 1 ? 'a replica' : `${minReplicas} replicas`}`;
    return [{ subject, level: 'ok', found }];
  }
  return [
    {
      subject,
      level: 'warn',
      found:
        'a master that is cut off accepts messages until its clients hear of the new one; they are lost, and reported',
      advice:
        'To reject them instead: CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 2, on every server',
    },
  ];
}
