// A private Redis Cluster of real servers on free loopback ports, for tests and demos. It is up in about 2 s.

import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeLine, parseNodeLines } from './cluster-nodes.ts';
import { freePort, type LocalRedis, startLocalRedis } from './local-redis.ts';
import { expectOk, type MoveStep, moveSlot } from './move-slot.ts';

const SLOTS = 16_384;
const UP_TIMEOUT_MS = 20_000;
const REPLY_TIMEOUT_MS = 1_000;
const POLL_MS = 10;

export interface LocalClusterOptions {
  /** Default 3. */
  masters?: number;
  /** Replicas of each master. Default 0. */
  replicas?: number;
  /** Milliseconds after which the others consider a silent node failed (`cluster-node-timeout`). Default 1,000. */
  nodeTimeoutMs?: number;
  /** Additional arguments of every server, such as `['--requirepass', 'secret']`. */
  args?: readonly string[];
  /** The ports that a node announces, such as those of proxies in front of it. Default: its own. */
  announce?: (node: OwnPorts, index: number) => Promise<AnnouncedPorts>;
}

/** The ports on which a server listens. */
export interface OwnPorts {
  readonly port: number;
  readonly busPort: number;
}

/** The ports at which clients and other nodes reach a server, and more arguments for it. */
export interface AnnouncedPorts extends OwnPorts {
  readonly args?: readonly string[];
}

/** One server of a cluster. `port` and `busPort` are the announced ones. */
export interface ClusterNode extends OwnPorts {
  readonly server: LocalRedis;
  readonly id: string;
}

export class LocalCluster implements AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  readonly #replicas: number;

  private constructor(nodes: readonly ClusterNode[], replicas: number) {
    this.nodes = nodes;
    this.#replicas = replicas;
  }

  /** Resolves when every node sees every slot served and every replica is in sync. */
  static async start(options: LocalClusterOptions = {}): Promise<LocalCluster> {
    const { masters = 3, replicas = 0 } = options;
    const started = await Promise.allSettled(
      Array.from({ length: masters * (1 + replicas) }, (_, index) => startNode(options, index)),
    );
    const nodes = started.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []));
    const cluster = new LocalCluster(nodes, masters * replicas);
    try {
      for (const node of started) if (node.status === 'rejected') throw node.reason;
      await cluster.#join(masters, replicas);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `redis+cluster://` with every node. */
  get url(): string {
    return `redis+cluster://${this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The slot of a key or channel, as the servers compute it. */
  async slotOf(name: string): Promise<number> {
    const [reply] = await this.#askAll(`CLUSTER KEYSLOT ${name}`);
    return Number(/^:(\d+)/.exec(reply ?? '')?.[1]);
  }

  /** The master that serves the slot of a key or channel, by the newest view of the nodes that answer. */
  async ownerOf(name: string): Promise<ClusterNode> {
    return this.ownerOfSlot(await this.slotOf(name));
  }

  /** As `ownerOf`, for a slot. */
  async ownerOfSlot(slot: number): Promise<ClusterNode> {
    const views = await Promise.all(
      this.nodes.map(async (node) => {
        const [info, lines] = await Promise.all([
          this.#ask(node, 'CLUSTER INFO').catch(() => ''),
          this.#linesOf(node).catch(() => []),
        ]);
        return { epoch: Number(/cluster_current_epoch:(\d+)/.exec(info)?.[1] ?? -1), lines };
      }),
    );
    views.sort((one, other) => other.epoch - one.epoch);
    // A busy node may have answered only one of the two.
    const [owner] = views.flatMap(({ lines }) =>
      lines.filter(({ ranges }) => ranges.some(([from, to]) => from <= slot && slot <= to)),
    );
    return this.#byId(owner?.id ?? '');
  }

  /** The slots that this node serves by its own view, as ranges of the first and the last slot. */
  async rangesOf(node: ClusterNode): Promise<NodeLine['ranges']> {
    return (await this.#linesOf(node)).find(({ id }) => id === node.id)?.ranges ?? [];
  }

  /** A replica of this master that is in sync. */
  async replicaOf(master: ClusterNode): Promise<ClusterNode> {
    let replica = '';
    await this.#until('the master had a replica', async () => {
      const lines = await this.#linesOf(master);
      const line = lines.find(({ masterId, flags }) => masterId === master.id && !flags.includes('fail'));
      replica = line?.id ?? '';
      return line !== undefined;
    });
    return this.#byId(replica);
  }

  /**
   * An orderly failover to a replica: resolves when the replica serves the slots of the master. `untilInSync` then
   * waits for the former master, which becomes a replica.
   */
  async failover(master: ClusterNode): Promise<ClusterNode> {
    const replica = await this.replicaOf(master);
    await expectOk(replica, 'CLUSTER FAILOVER');
    await this.#until('the failover was complete', async () => {
      const line = (await this.#linesOf(replica)).find(({ id }) => id === replica.id);
      return line?.flags.includes('master') === true && line.ranges.length > 0;
    });
    return replica;
  }

  /** Moves the slot of a key or channel to another master. */
  async migrate(name: string, to: ClusterNode, onStep?: (step: MoveStep) => Promise<void>): Promise<void> {
    const slot = await this.slotOf(name);
    await moveSlot(slot, await this.ownerOfSlot(slot), to, onStep);
  }

  /** Moves slots from one master to another, one after the other. */
  async migrateSlots(slots: readonly number[], from: ClusterNode, to: ClusterNode): Promise<void> {
    for (const slot of slots) await moveSlot(slot, from, to);
  }

  /** Resolves when another node than `former` serves the slot of this name. */
  async untilOwnerIsNot(former: ClusterNode, name: string): Promise<ClusterNode> {
    const slot = await this.slotOf(name);
    let owner = former;
    await this.#until('another node took over', async () => {
      owner = await this.ownerOfSlot(slot);
      return owner !== former;
    });
    return owner;
  }

  /** Resolves when this node is a replica and has all data of its master. */
  untilInSync(replica: ClusterNode): Promise<void> {
    return this.#until('the replica was in sync', async () => {
      const info = await this.#ask(replica, 'INFO replication');
      return info.includes('role:slave') && info.includes('master_link_status:up');
    });
  }

  /** Resolves when every node that answers sees every slot served. */
  async untilOk(): Promise<void> {
    await this.#until('the state was ok', async () => {
      const replies = await this.#askAll('CLUSTER INFO');
      return replies.length > 0 && replies.every((reply) => reply.includes('cluster_state:ok'));
    });
  }

  /** Restarts killed nodes and resumes paused ones. Resolves when every replica is in sync and every slot served. */
  async heal(): Promise<void> {
    for (const { server } of this.nodes) {
      server.resume();
      if (!server.isRunning) await server.start();
    }
    await this.#until('every move of a slot had ended', () => this.#endMoves());
    await this.untilOk();
    await this.#until('every replica was in sync', async () => {
      const infos = await Promise.all(this.nodes.map((node) => this.#ask(node, 'INFO replication')));
      const replicas = infos.filter((info) => info.includes('role:slave'));
      const isSynced = (info: string) => info.includes('master_link_status:up');
      return replicas.length === this.#replicas && replicas.every(isSynced);
    });
  }

  /** Kills all nodes and removes their data. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ server }) => server[Symbol.asyncDispose]()));
  }

  async #join(masters: number, replicas: number): Promise<void> {
    const [first] = this.nodes as [ClusterNode];
    const perMaster = Math.ceil(SLOTS / masters);
    await Promise.all(
      this.nodes.map((node, index) => expectOk(node, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`)),
    );
    await Promise.all(
      this.nodes.slice(0, masters).map((node, index) => {
        const last = Math.min(SLOTS, (index + 1) * perMaster) - 1;
        return expectOk(node, `CLUSTER ADDSLOTSRANGE ${index * perMaster} ${last}`);
      }),
    );
    for (const { port, busPort } of this.nodes.slice(1))
      await expectOk(first, `CLUSTER MEET 127.0.0.1 ${port} ${busPort}`);
    await this.#until('every node knew the others', async () => {
      const views = await Promise.all(this.nodes.map((node) => this.#linesOf(node)));
      const isKnown = ({ flags }: NodeLine) => !flags.includes('handshake');
      return views.every((lines) => lines.length === this.nodes.length && lines.every(isKnown));
    });
    const copies = this.nodes.slice(masters);
    for (const [index, node] of copies.entries())
      await expectOk(node, `CLUSTER REPLICATE ${this.nodes[index % masters]?.id}`);
    await this.untilOk();
    await Promise.all(copies.map((node) => this.untilInSync(node)));
    await this.#until('every node saw the replicas', async () => {
      const views = await Promise.all(this.nodes.map((node) => this.#linesOf(node)));
      const countReplicas = (lines: readonly NodeLine[]) =>
        lines.filter(({ flags }) => flags.includes('slave')).length;
      return views.every((lines) => countReplicas(lines) === masters * replicas);
    });
  }

  /**
   * A failover can interrupt a move. The slot then keeps its mark on a master, which ignores what other nodes say about
   * its owner, until an operator ends the move, as `redis-cli --cluster fix` does.
   *
   * @returns true if no master has a mark
   */
  async #endMoves(): Promise<boolean> {
    let isDone = true;
    for (const node of this.nodes) {
      const reply = await this.#ask(node, 'CLUSTER NODES');
      if (!reply.includes('myself,master')) continue;
      for (const [, slot] of reply.matchAll(/ \[(\d+)-[<>]-/g)) {
        isDone = false;
        await this.#ask(node, `CLUSTER SETSLOT ${slot} STABLE`);
      }
    }
    return isDone;
  }

  #byId(wanted: string): ClusterNode {
    const node = this.nodes.find(({ id }) => id === wanted);
    if (node === undefined) throw new Error('The cluster has no such node now.');
    return node;
  }

  async #linesOf(node: ClusterNode): Promise<NodeLine[]> {
    const reply = await this.#ask(node, 'CLUSTER NODES');
    return parseNodeLines(reply);
  }

  /** The replies of the nodes that answer. */
  async #askAll(command: string): Promise<string[]> {
    const replies = await Promise.allSettled(this.nodes.map((node) => this.#ask(node, command)));
    return replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []));
  }

  /** A paused node accepts connections and never answers. */
  async #ask({ server }: ClusterNode, command: string): Promise<string> {
    const late = sleep(REPLY_TIMEOUT_MS, undefined, { ref: false }).then(() => {
      throw new Error(`The server on port ${server.port} did not answer.`);
    });
    return Promise.race([server.answers(command), late]);
  }

  async #until(event: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + UP_TIMEOUT_MS;
    while (!(await holds().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`${UP_TIMEOUT_MS} ms passed before ${event}.`);
      await sleep(POLL_MS);
    }
  }
}

async function startNode(options: LocalClusterOptions, index: number): Promise<ClusterNode> {
  const { nodeTimeoutMs = 1_000, args = [], announce = async (own: OwnPorts) => own } = options;
  const own = { port: await freePort(), busPort: await freePort() };
  const announced: AnnouncedPorts = await announce(own, index);
  const server = await startLocalRedis({
    port: own.port,
    keepsData: true,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
      ...['--cluster-port', String(own.busPort), '--cluster-node-timeout', String(nodeTimeoutMs)],
      ...['--cluster-announce-ip', '127.0.0.1', '--cluster-announce-port', String(announced.port)],
      ...['--cluster-announce-bus-port', String(announced.busPort)],
      ...['--repl-ping-replica-period', '1'],
      ...(announced.args ?? []),
      ...args,
    ],
  });
  const id = /[0-9a-f]{40}/.exec(await server.answers('CLUSTER MYID'))?.[0] ?? '';
  return { server, id, port: announced.port, busPort: announced.busPort };
}
