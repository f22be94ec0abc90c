// A Redis master and its replica, with a proxy in the replication link that can make the replica lag.

import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import { TcpProxy } from './proxy.ts';

const SYNC_TIMEOUT_MS = 20_000;
const POLL_MS = 10;

interface ReplicationServer {
  readonly server: LocalRedis;
  /** If this server is the master, the replica connects to it through this proxy. */
  readonly proxy: TcpProxy;
}

export class ReplicaPair implements AsyncDisposable {
  #master: ReplicationServer;
  #replica: ReplicationServer;

  private constructor(master: ReplicationServer, replica: ReplicationServer) {
    this.#master = master;
    this.#replica = replica;
  }

  /** Resolves when the replica is in sync. */
  static async start(random: Random): Promise<ReplicaPair> {
    const pair = new ReplicaPair(await startReplicationServer(random), await startReplicationServer(random));
    await pair.#replicate();
    return pair;
  }

  get master(): LocalRedis {
    return this.#master.server;
  }

  get replica(): LocalRedis {
    return this.#replica.server;
  }

  /** Stops replication until `catchUp` or `demote`. */
  lag(): void {
    this.#master.proxy.inject({ type: 'stall' }, 'to_client');
  }

  /** Resolves when the replica has everything that the master had written at the time of the call. */
  async catchUp(): Promise<void> {
    this.#master.proxy.heal();
    const written = Number(field(await infoOf(this.master), 'master_repl_offset'));
    await this.#untilReplica((info) => Number(field(info, 'slave_repl_offset')) >= written);
  }

  /**
   * Makes the replica the new master, with the data that it has received. If the former master still runs, it remains a
   * separate master.
   */
  async promote(): Promise<void> {
    this.#master.proxy.reset();
    await expectReply(this.replica, 'REPLICAOF NO ONE', '+OK');
    [this.#master, this.#replica] = [this.#replica, this.#master];
    this.#replica.proxy.heal();
  }

  /** Makes the former master a replica of the new master, without a restart. Resolves when it is in sync. */
  demote(): Promise<void> {
    return this.#replicate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server, proxy } of [this.#replica, this.#master]) {
      await proxy.close();
      await server[Symbol.asyncDispose]();
    }
  }

  async #replicate(): Promise<void> {
    this.#master.proxy.heal();
    await expectReply(this.replica, `REPLICAOF 127.0.0.1 ${this.#master.proxy.port}`, '+OK');
    await this.catchUp();
  }

  async #untilReplica(matches: (info: string) => boolean): Promise<void> {
    const deadline = performance.now() + SYNC_TIMEOUT_MS;
    for (;;) {
      const info = await infoOf(this.replica);
      if (field(info, 'master_link_status') === 'up' && matches(info)) return;
      if (performance.now() > deadline)
        throw new Error(`The replica was not in sync within ${SYNC_TIMEOUT_MS} ms:\n${info}`);
      await sleep(POLL_MS);
    }
  }
}

async function startReplicationServer(random: Random): Promise<ReplicationServer> {
  const server = await startLocalRedis({ keepsData: true });
  return { server, proxy: await TcpProxy.start({ port: server.port, random }) };
}

function infoOf(server: LocalRedis): Promise<string> {
  return server.answers('INFO replication');
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

async function expectReply(server: LocalRedis, command: string, reply: string): Promise<void> {
  const actual = await server.answers(command);
  if (!actual.startsWith(reply))
    throw new Error(`The server on port ${server.port} replied to ${command}: ${actual}`);
}
