// What the nodes of a cluster report about themselves and each other.

import { formatPlace, type Place } from '../address.ts';
import type { RedisClient } from '../client.ts';

const SLOTS = 16_384;

/** The nodes of a cluster, and the settings that decide what happens if one fails. */
export interface ClusterReport {
  /** The slots that no node owns, such as `100` or `200-299`. */
  readonly unowned: readonly string[];
  /** The masters that own slots; undefined if the user may not use CLUSTER NODES. */
  readonly masters: readonly MasterReport[] | undefined;
  /** The replicas that the others consider failed, such as `10.0.0.4:6379`. */
  readonly failedReplicas: readonly string[];
}

export interface MasterReport extends NodeSettings {
  /** Such as `10.0.0.1:6379`. */
  readonly address: string;
  /** Number of slots that it owns. */
  readonly slots: number;
  /** Number of its replicas that have not failed. */
  readonly replicas: number;
  /** Whether the others consider it failed, or suspect that it has. */
  readonly isFailed: boolean;
  /** Why this process cannot use it; undefined if it can. */
  readonly failure?: string | undefined;
}

/** A field is undefined if it could not be read. */
interface NodeSettings {
  /** `cluster-node-timeout`. */
  readonly nodeTimeoutMs?: number | undefined;
  /** `cluster-require-full-coverage`. */
  readonly requiresFullCoverage?: boolean | undefined;
  /** `min-replicas-to-write`. */
  readonly minReplicas?: number | undefined;
}

const NODE_SETTINGS = [
  'cluster-node-timeout',
  'cluster-require-full-coverage',
  'min-replicas-to-write',
] as const;

/** @param values the reply of CONFIG GET; undefined if it was denied */
function parseNodeSettings(values: Readonly<Record<string, string>> = {}): NodeSettings {
  const [timeout, coverage, replicas] = NODE_SETTINGS.map((name) => values[name]);
  return {
    nodeTimeoutMs: timeout === undefined ? undefined : Number(timeout),
    requiresFullCoverage: coverage === undefined ? undefined : coverage === 'yes',
    minReplicas: replicas === undefined ? undefined : Number(replicas),
  };
}

/** What this process learns from one master. */
export interface AskedMaster {
  readonly place: Place;
  /** Its reply to CLUSTER NODES; undefined if it was denied. */
  readonly nodes?: string | undefined;
  readonly settings?: NodeSettings;
  readonly failure?: string | undefined;
}

/** @param ifAllowed resolves with undefined if the user may not run the command */
export async function askMaster(
  { place, client }: { readonly place: Place; readonly client: RedisClient | Error },
  ifAllowed: <T>(command: (client: RedisClient) => Promise<T>, client: RedisClient) => Promise<T | undefined>,
): Promise<AskedMaster> {
  if (client instanceof Error) return { place, failure: client.message };
  const [nodes, settings] = await Promise.all([
    ifAllowed((one) => one.sendCommand<string>(['CLUSTER', 'NODES']), client),
    ifAllowed((one) => one.configGet([...NODE_SETTINGS]), client),
  ]);
  return { place, nodes, settings: parseNodeSettings(settings) };
}

interface NodeLine {
  readonly id: string;
  readonly address: string;
  readonly flags: readonly string[];
  readonly masterId: string;
  readonly slots: number;
}

/** @param ranges the slots that have an owner */
export function clusterReport(
  ranges: readonly { readonly from: number; readonly to: number }[],
  asked: readonly AskedMaster[],
): ClusterReport {
  const unowned = unownedSlots(ranges);
  const view = asked.find(({ nodes }) => nodes !== undefined)?.nodes;
  if (view === undefined) return { unowned, masters: undefined, failedReplicas: [] };
  const lines = parseNodes(view);
  const isFailed = ({ flags }: NodeLine) =>
    flags.some((flag) => flag.startsWith('fail') || flag === 'noaddr');
  const replicas = lines.filter(({ flags }) => flags.includes('slave'));
  const masters = lines.filter(({ flags, slots }) => flags.includes('master') && slots > 0);
  return {
    unowned,
    failedReplicas: replicas.filter(isFailed).map(({ address }) => address),
    masters: masters.map((master) => {
      const { settings, failure } = askedOf(master, asked) ?? {};
      return {
        address: master.address,
        slots: master.slots,
        replicas: replicas.filter((one) => one.masterId === master.id && !isFailed(one)).length,
        isFailed: isFailed(master),
        failure,
        ...settings,
      };
    }),
  };
}

/** A node that answers says which one it is. Another one is known by its address alone. */
function askedOf({ id, address }: NodeLine, asked: readonly AskedMaster[]): AskedMaster | undefined {
  const isSelf = (line: NodeLine) => line.id === id && line.flags.includes('myself');
  return (
    asked.find(({ nodes }) => nodes !== undefined && parseNodes(nodes).some(isSelf)) ??
    asked.find(({ nodes, place }) => nodes === undefined && formatPlace(place) === address)
  );
}

function unownedSlots(ranges: readonly { readonly from: number; readonly to: number }[]): string[] {
  const unowned: string[] = [];
  let next = 0;
  for (const { from, to } of [...ranges, { from: SLOTS, to: SLOTS }].sort((a, b) => a.from - b.from)) {
    if (from > next) unowned.push(from - 1 === next ? `${next}` : `${next}-${from - 1}`);
    next = Math.max(next, to + 1);
  }
  return unowned;
}

/**
 * Each line of CLUSTER NODES has an id, `host:port@bus`, flags, the id of the master, ping, pong, epoch, the state of
 * the link, and slots. A slot that is being moved stands in brackets.
 */
function parseNodes(reply: string): NodeLine[] {
  return reply
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter((words) => words.length >= 8)
    .map(([id = '', at = '', flags = '', masterId = '', , , , , ...ranges]) => ({
      id,
      address: at.replace(/@.*$/, ''),
      flags: flags.split(','),
      masterId,
      slots: ranges.reduce((sum, range) => sum + slotsIn(range), 0),
    }));
}

function slotsIn(range: string): number {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  return from === undefined ? 0 : Number(to) - Number(from) + 1;
}
