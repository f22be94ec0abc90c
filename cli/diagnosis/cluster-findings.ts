// Findings about a cluster: slots without an owner, failed nodes, missing replicas, and what happens when a node fails.

import type { ClusterReport, MasterReport, ServerReport } from 'tickbus/admin';
import { type DoctorFinding, unreadable } from './finding.ts';

const MAX_NODE_TIMEOUT_MS = 15_000;
const MIN_NODE_TIMEOUT_MS = 500;
/** The channels of a failed master are live again within two node timeouts and this time. See docs/cluster.md. */
const BEYOND_TIMEOUTS_MS = 3_000;

type Masters = readonly MasterReport[];

/** Empty if the address is not that of a cluster. */
export function clusterFindings({ cluster }: Pick<ServerReport, 'cluster'>): DoctorFinding[] {
  if (cluster === undefined) return [];
  const { masters } = cluster;
  if (masters === undefined) {
    const what = 'which nodes have failed, and how many replicas they have';
    return [coverageOf(cluster), unreadable('nodes', what, 'CLUSTER NODES')];
  }
  return [
    coverageOf(cluster),
    ...nodesOf(masters, cluster.failedReplicas),
    ...replicasOf(masters),
    ...isolationOf(masters),
    ...nodeTimeoutOf(masters),
    ...fullCoverageOf(masters),
  ];
}

function coverageOf({ unowned }: ClusterReport): DoctorFinding {
  const subject = 'coverage';
  if (unowned.length === 0) return { subject, level: 'ok', found: 'every slot has an owner' };
  const shown = `${unowned.slice(0, 5).join(', ')}${unowned.length > 5 ? ', ...' : ''}`;
  return {
    subject,
    level: 'fail',
    found: `no node owns the slots ${shown}: their channels can be neither published on nor read`,
    advice:
      'Assign them: redis-cli --cluster fix HOST:PORT. The slot of a channel: redis-cli CLUSTER KEYSLOT NAME',
  };
}

function nodesOf(masters: Masters, failedReplicas: readonly string[]): DoctorFinding[] {
  const subject = 'nodes';
  const failed = masters.filter(({ isFailed }) => isFailed);
  const unusable = masters.filter(({ isFailed, failure }) => !isFailed && failure !== undefined);
  const findings: DoctorFinding[] = failed.map(({ address, slots, replicas }) => ({
    subject,
    level: 'fail',
    found: `${address} has failed: the channels in its ${slots} slots are down`,
    advice:
      replicas > 0
        ? 'A replica takes over within two node timeouts. If none does, see the logs of its replicas, or start it again.'
        : 'No replica can take over: start it again.',
  }));
  for (const { address, failure } of unusable)
    findings.push({
      subject,
      level: 'fail',
      found: `this program cannot use ${address}, which the other nodes do not consider failed`,
      advice: `${failure} Every node needs the same users and certificates, and an address that clients reach.`,
    });
  if (failedReplicas.length > 0)
    findings.push({
      subject,
      level: 'warn',
      found: `${failedReplicas.join(', ')}: failed, so it cannot take over from its master`,
      advice: 'Start it again, or remove it: redis-cli --cluster del-node HOST:PORT ID',
    });
  if (findings.length > 0) return findings;
  return [{ subject, level: 'ok', found: `${plural(masters.length, 'master')}, and none has failed` }];
}

function replicasOf(masters: Masters): DoctorFinding[] {
  const subject = 'replicas';
  const alone = masters.filter(({ replicas }) => replicas === 0);
  if (alone.length === 0) {
    const fewest = Math.min(...masters.map(({ replicas }) => replicas));
    return [{ subject, level: 'ok', found: `each master has ${plural(fewest, 'replica')} or more` }];
  }
  return [
    {
      subject,
      level: 'warn',
      found: `no replica for ${addressesOf(alone)}: if it fails, its channels are down until it is back`,
      advice:
        'Add one for each: redis-cli --cluster add-node NEW:PORT HOST:PORT --cluster-slave --cluster-master-id ID',
    },
  ];
}

function isolationOf(masters: Masters): DoctorFinding[] {
  const subject = 'isolation';
  const known = masters.filter(({ minReplicas }) => minReplicas !== undefined);
  const refusing = known.filter(({ minReplicas = 0, replicas }) => replicas < minReplicas);
  if (refusing.length > 0)
    return [
      {
        subject,
        level: 'fail',
        found: `${addressesOf(refusing)}: rejects every message, with fewer replicas than min-replicas-to-write`,
        advice: 'Start its replicas, or lower the number: CONFIG SET min-replicas-to-write',
      },
    ];
  if (known.length === 0) return [];
  if (known.every(({ minReplicas = 0 }) => minReplicas > 0))
    return [{ subject, level: 'ok', found: 'a master without a replica rejects messages' }];
  return [
    {
      subject,
      level: 'warn',
      found: 'a master that is cut off accepts messages for a node timeout; they are lost, and reported',
      advice:
        'To reject them after 2 s: CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 2, on every node. A ' +
        'master whose replicas are down then rejects everything',
    },
  ];
}

function nodeTimeoutOf(masters: Masters): DoctorFinding[] {
  const subject = 'node timeout';
  const timeouts = [...new Set(masters.flatMap(({ nodeTimeoutMs }) => nodeTimeoutMs ?? []))];
  if (timeouts.length === 0) return [];
  const [longest, shortest] = [Math.max(...timeouts), Math.min(...timeouts)];
  const liveAfter = `the channels of a failed master are live again within ${seconds(2 * longest + BEYOND_TIMEOUTS_MS)}`;
  const set = 'CONFIG SET cluster-node-timeout 5000 on every node, and in redis.conf';
  if (timeouts.length > 1) {
    const listed = timeouts.map(seconds).join(', ');
    return [{ subject, level: 'warn', found: `differs between nodes: ${listed}; ${liveAfter}`, advice: set }];
  }
  const found = `${seconds(longest)}: ${liveAfter} (2 node timeouts + 3 s)`;
  if (longest > MAX_NODE_TIMEOUT_MS) return [{ subject, level: 'warn', found, advice: set }];
  if (shortest >= MIN_NODE_TIMEOUT_MS) return [{ subject, level: 'ok', found }];
  const advice = `A slow network or a busy machine then counts as a failed node, and each failover is a gap: ${set}`;
  return [{ subject, level: 'warn', found, advice }];
}

function fullCoverageOf(masters: Masters): DoctorFinding[] {
  const subject = 'full coverage';
  const known = masters.filter(({ requiresFullCoverage }) => requiresFullCoverage !== undefined);
  if (known.length === 0) return [];
  const requiring = known.filter(({ requiresFullCoverage }) => requiresFullCoverage);
  if (requiring.length === 0)
    return [{ subject, level: 'ok', found: 'not required: a failed master stops its own channels alone' }];
  return [
    {
      subject,
      level: 'warn',
      found: 'required: a failed master that no replica replaces stops the channels of all nodes',
      advice: 'CONFIG SET cluster-require-full-coverage no on every node, and in redis.conf',
    },
  ];
}

function addressesOf(masters: Masters): string {
  return masters.map(({ address }) => address).join(', ');
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
