// One node's view of a cluster: who serves which slots.

import { ConnectionTimeoutError, ErrorReply } from 'redis';
import { TickbusError } from '../../../errors.ts';
import { formatAddress, type Place } from '../address.ts';
import { createRedisClient, type RedisClient } from '../client.ts';
import { commandError, connectError } from '../error-mapping.ts';
import type { LinkSettings } from '../link-settings.ts';

/** Milliseconds within which a node must accept a connection, and answer a query. */
const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 1_000;

/** The slots from `from` to `to`, both included, and the master that serves them. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly owner: Place;
}

export interface ClusterView {
  /** Grows with every failover and every slot that moved. */
  readonly epoch: number;
  /** Whether the node sees a majority of the masters, and every slot that the cluster needs. */
  readonly isOk: boolean;
  readonly ranges: readonly SlotRange[];
  /** All nodes, replicas included. */
  readonly nodes: readonly Place[];
}

/** A connection to one node for queries. It does not reconnect. */
export class ClusterNode {
  readonly #settings: LinkSettings;
  readonly #client: RedisClient;

  private constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#client = createRedisClient(settings);
    // Every failure also rejects the query.
    this.#client.on('error', () => {});
  }

  get place(): Place {
    return this.#settings;
  }

  /** @throws TickbusError as `RedisLink.connect` */
  static async connect(settings: LinkSettings, { host, port }: Place): Promise<ClusterNode> {
    const { cluster: _cluster, locator: _locator, ...server } = settings;
    const connectTimeoutMs = Math.min(settings.connectTimeoutMs, CONNECT_TIMEOUT_MS);
    const node = new ClusterNode({ ...server, host, port, connectTimeoutMs });
    const up = node.#client.connect();
    try {
      await within(connectTimeoutMs, up);
      return node;
    } catch (error) {
      node.close();
      // A client that is destroyed while it connects may still connect.
      up.then(
        () => node.close(),
        () => {},
      );
      throw connectError(error, node.#settings);
    }
  }

  /** @throws TickbusError if the node is not a node of a cluster, does not answer, or denies the commands */
  async view(): Promise<ClusterView> {
    try {
      const [info, slots] = await within(
        QUERY_TIMEOUT_MS,
        Promise.all([
          this.#client.sendCommand<string>(['CLUSTER', 'INFO']),
          this.#client.sendCommand<unknown>(['CLUSTER', 'SLOTS']),
        ]),
      );
      return parseView(String(info), slots, this.#settings);
    } catch (error) {
      throw this.#viewError(error);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #viewError(error: unknown): TickbusError {
    const where = formatAddress(this.#settings);
    if (!(error instanceof ErrorReply)) {
      const text = `Redis at ${where} did not answer CLUSTER SLOTS within ${QUERY_TIMEOUT_MS} ms, or dropped the link.`;
      return new TickbusError('TICKBUS_NOT_CONNECTED', text);
    }
    if (!error.message.includes('cluster support disabled'))
      return commandError(error, this.#settings, 'read');
    const text =
      `Redis at ${where} is not a node of a cluster, so its address must not be redis+cluster://. Use redis:// for a ` +
      'single server, or enable the cluster there (cluster-enabled yes).';
    return new TickbusError('TICKBUS_CONNECT_FAILED', text);
  }
}

/** @param slots the reply of CLUSTER SLOTS: [from, to, [host, port, ...] of the master, then of its replicas] */
function parseView(info: string, slots: unknown, self: Place): ClusterView {
  const nodes: Place[] = [];
  const ranges = listOf(slots).map(([from, to, ...members]) => {
    const places = listOf(members).map(([host, port]) => placeOf(host, port, self));
    nodes.push(...places);
    return { from: Number(from), to: Number(to), owner: places[0] ?? self };
  });
  return {
    epoch: Number(/^cluster_current_epoch:(\d+)/m.exec(info)?.[1] ?? 0),
    isOk: /^cluster_state:ok/m.test(info),
    ranges,
    nodes,
  };
}

function listOf(value: unknown): unknown[][] {
  return Array.isArray(value) ? value.filter(Array.isArray) : [];
}

/** A node that does not know its own host, or hides it, is reached at the host of the node that was asked. */
function placeOf(host: unknown, port: unknown, self: Place): Place {
  const name = typeof host === 'string' && host !== '' && host !== '?' ? host : self.host;
  return { host: name, port: Number(port) };
}

async function within<T>(ms: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionTimeoutError()), ms);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
