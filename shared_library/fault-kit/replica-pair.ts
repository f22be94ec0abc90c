// Two Redis servers, a master and its replica, with a proxy in their replication link, so that the replica can be made to lag.

import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import { TcpProxy } from './proxy.ts';

const SYNC_TIMEOUT_MS = 20_000;
const POLL_MS = 10;
/** A replica is served at once; by default the master waits 5 s for others. */
const ARGS = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'];

interface Side {
  readonly server: LocalRedis;
  /** In front of the server, for its replica. */
  readonly proxy: TcpProxy;
}

export class ReplicaPair implements AsyncDisposable {
  #master: Side;
  #replica: Side;

  private constructor(master: Side, replica: Side) {
    this.#master = master;
    this.#replica = replica;
  }

  /** Resolves when the replica has everything. */
  static async start(random: Random): Promise<ReplicaPair> {
    const pair = new ReplicaPair(await startSide(random), await startSide(random));
    await pair.#replicate();
    return pair;
  }

  get master(): LocalRedis {
    return this.#master.server;
  }

  get replica(): LocalRedis {
    return this.#replica.server;
  }

  /** What the master writes from here on does not reach the replica, until the pair is in sync again by `catchUp` or `demote`. */
  lag(): void {
    this.#master.proxy.inject({ type: 'stall' }, 'to_client');
  }

  /** Resolves when the replica has everything that the master had written when this was called. */
  async catchUp(): Promise<void> {
    this.#master.proxy.heal();
    const written = Number(field(await infoOf(this.master), 'master_repl_offset'));
    await this.#untilReplica((info) => Number(field(info, 'slave_repl_offset')) >= written);
  }

  /**
   * The replica becomes the master, with what it has received. The former master is left alone: it goes on as a master of its own,
   * unless it was killed.
   */
  async promote(): Promise<void> {
    this.#master.proxy.reset();
    await mustSay(this.replica, 'REPLICAOF NO ONE', '+OK');
    [this.#master, this.#replica] = [this.#replica, this.#master];
    this.#replica.proxy.heal();
  }

  /** The former master becomes a replica of the new one, in the same process. Resolves when it has the new one's data. */
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
    await mustSay(this.replica, `REPLICAOF 127.0.0.1 ${this.#master.proxy.port}`, '+OK');
    await this.catchUp();
  }

  async #untilReplica(isSo: (info: string) => boolean): Promise<void> {
    const deadline = performance.now() + SYNC_TIMEOUT_MS;
    for (;;) {
      const info = await infoOf(this.replica);
      if (field(info, 'master_link_status') === 'up' && isSo(info)) return;
      if (performance.now() > deadline)
        throw new Error(`The replica is not in sync within ${SYNC_TIMEOUT_MS} ms:\n${info}`);
      await sleep(POLL_MS);
    }
  }
}

async function startSide(random: Random): Promise<Side> {
  const server = await startLocalRedis({ args: ARGS, keepsData: true });
  return { server, proxy: await TcpProxy.start({ port: server.port, random }) };
}

function infoOf(server: LocalRedis): Promise<string> {
  return server.answers('INFO replication');
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

async function mustSay(server: LocalRedis, command: string, answer: string): Promise<void> {
  const said = await server.answers(command);
  if (!said.startsWith(answer))
    throw new Error(`The server on port ${server.port} answered ${command}: ${said}`);
}
