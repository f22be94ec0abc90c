// A Redis master, two replicas and three sentinels, each behind a proxy that can cut it off from the others.

import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import type { Random } from '@tickbus/test-kit/random';
import { type ProxiedLink, TcpProxy } from './proxy.ts';

const TIMEOUT_MS = 30_000;
const FAILOVER_TIMEOUT_MS = 6_000;
const POLL_MS = 20;
const REPLY_TIMEOUT_MS = 1_000;
const HOST = '127.0.0.1';
const REPLICAS = 2;
const SENTINELS = 3;
/** Sentinels announce themselves every 2 s, and repeat a failed connection after 15 s. Starting takes half as long. */
const STARTING = ['PUBLISH-PERIOD', '100', 'MIN-LINK-RECONNECT-PERIOD', '100'];
const NORMAL = ['PUBLISH-PERIOD', '2000', 'MIN-LINK-RECONNECT-PERIOD', '15000'];

export interface SentinelGroupOptions {
  readonly random: Random;
  /** Milliseconds after which a sentinel regards a silent server as down. Default 1,000. */
  readonly downAfterMs?: number;
  /** More arguments of the Redis servers, such as `['--min-replicas-to-write', '1']`. */
  readonly args?: readonly string[];
  /** More lines of the configuration of the sentinels, such as `sentinel auth-user mymaster sentinel`. */
  readonly sentinelLines?: readonly string[];
  /** The password of the sentinels. Default: none. */
  readonly sentinelPassword?: string;
}

/** A server or sentinel. The others, and clients, reach it only through its proxy. */
export interface ProxiedServer {
  readonly server: LocalRedis;
  readonly proxy: TcpProxy;
}

export class SentinelGroup implements AsyncDisposable {
  /** The name of the master in the configuration of the sentinels. */
  readonly name = 'mymaster';
  /** The Redis servers. The first one is the first master. */
  readonly servers: readonly ProxiedServer[];
  readonly sentinels: readonly ProxiedServer[];
  readonly #password: string | undefined;

  private constructor(
    servers: readonly ProxiedServer[],
    sentinels: readonly ProxiedServer[],
    password: string | undefined,
  ) {
    this.servers = servers;
    this.sentinels = sentinels;
    this.#password = password;
  }

  /** Resolves when the replicas are in sync and all sentinels know each other and the replicas, after about 2 s. */
  static async start(options: SentinelGroupOptions): Promise<SentinelGroup> {
    const { random, downAfterMs = 1_000, args = [], sentinelLines = [], sentinelPassword } = options;
    const start = async (more: readonly string[]) =>
      startProxied(random, (port, announced) =>
        startLocalRedis({
          port,
          args: [
            '--replica-announce-ip',
            HOST,
            '--replica-announce-port',
            String(announced),
            ...args,
            ...more,
          ],
        }),
      );
    const master = await start([]);
    const masterPort = String(master.proxy.port);
    const replicas = await times(REPLICAS, () => start(['--replicaof', HOST, masterPort]));
    // A sentinel that starts earlier learns of the replicas only 10 s later.
    await until('replicas in sync', () => areReplicasInSync(master.server));
    const monitoring = [
      `sentinel monitor mymaster ${HOST} ${masterPort} 2`,
      `sentinel down-after-milliseconds mymaster ${downAfterMs}`,
      `sentinel failover-timeout mymaster ${FAILOVER_TIMEOUT_MS}`,
      ...sentinelLines,
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    ];
    const sentinels = await times(SENTINELS, () =>
      startProxied(random, (port, announced) =>
        startLocalRedis({
          port,
          sentinel: [`sentinel announce-ip ${HOST}`, `sentinel announce-port ${announced}`, ...monitoring],
        }),
      ),
    );
    const group = new SentinelGroup([master, ...replicas], sentinels, sentinelPassword);
    await group.#setPeriods(STARTING);
    await group.#untilReady();
    await group.#setPeriods(NORMAL);
    return group;
  }

  /** The address of the group for clients. */
  get url(): string {
    const hosts = this.sentinels.map(({ proxy }) => `${HOST}:${proxy.port}`);
    const password = this.#password === undefined ? '' : `?sentinel_password=${this.#password}`;
    return `redis+sentinel://${hosts.join(',')}/${this.name}${password}`;
  }

  /** Resolves with the server that is the master by the reports of a majority of the sentinels. */
  async master(): Promise<ProxiedServer> {
    return this.untilMaster(() => true);
  }

  /** Resolves when a majority of the sentinels reports a master that matches, and it accepts writes. */
  async untilMaster(matches: (server: ProxiedServer) => boolean): Promise<ProxiedServer> {
    return until('a master', async () => {
      const ports = await Promise.all(this.sentinels.map((sentinel) => this.#masterPort(sentinel)));
      for (const one of this.servers) {
        const votes = ports.filter((port) => port === one.proxy.port).length;
        if (votes * 2 <= SENTINELS || !matches(one)) continue;
        // A paused server never replies.
        const role = await Promise.race([
          one.server.answers('ROLE').catch(() => ''),
          sleep(REPLY_TIMEOUT_MS, ''),
        ]);
        if (role.includes('master')) return one;
      }
      return undefined;
    });
  }

  /**
   * Milliseconds by which the sentinels delayed the first failover, because none of them got a majority of the votes.
   * They repeat such an election after two failover timeouts. On an idle machine that is rare.
   */
  async electionDelayMs(): Promise<number> {
    const epochs = await Promise.all(
      this.sentinels.map(async ({ server }) => {
        const reply = await server.answers(...this.#login, `SENTINEL MASTER ${this.name}`);
        return field(reply, 'config-epoch');
      }),
    );
    return Math.max(0, ...epochs.map((epoch) => epoch - 1)) * 2 * FAILOVER_TIMEOUT_MS;
  }

  /** Resolves when both replicas of the master have everything that it had written at the time of the call. */
  async catchUp(): Promise<void> {
    const { server } = await this.master();
    const written = await offsetOf(server);
    await until('replicas in sync', () => areReplicasInSync(server, written));
  }

  /** Resolves when the master counts this many replicas. */
  async untilReplicas({ server }: ProxiedServer, count: number): Promise<void> {
    await until(`masters with ${count} replicas`, async () =>
      (await server.answers('INFO replication')).includes(`connected_slaves:${count}\r`),
    );
  }

  /** Replicas receive nothing more from this master. */
  async lag(master: ProxiedServer): Promise<void> {
    for (const link of await this.linksTo(master, ' flags=S '))
      link.inject({ type: 'blackhole' }, 'to_client');
  }

  /** The connections to a server or sentinel whose line in `CLIENT LIST` contains `text`, such as ` name=tickbus:`. */
  async linksTo({ server, proxy }: ProxiedServer, text: string): Promise<ProxiedLink[]> {
    const login = this.servers.some((one) => one.server === server) ? [] : this.#login;
    const list = await server.answers(...login, 'CLIENT LIST');
    const lines = list.split('\n').filter((line) => line.includes(text));
    return proxy.links.filter(({ serverSidePort }) =>
      lines.some((line) => line.includes(` addr=${HOST}:${serverSidePort} `)),
    );
  }

  /**
   * Cuts a server off until `heal`: no byte passes, except on the connections in `kept`. Their clients are on the side
   * of the isolated server.
   */
  isolate({ proxy }: ProxiedServer, kept: readonly ProxiedLink[] = []): void {
    proxy.refuse();
    for (const link of proxy.links) if (!kept.includes(link)) link.inject({ type: 'blackhole' });
  }

  heal(): void {
    for (const { proxy } of [...this.servers, ...this.sentinels]) proxy.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.sentinels, ...this.servers].map(async ({ server, proxy }) => {
        await proxy.close();
        await server[Symbol.asyncDispose]();
      }),
    );
  }

  async #setPeriods(periods: readonly string[]): Promise<void> {
    const command = `SENTINEL DEBUG ${periods.join(' ')}`;
    await Promise.all(this.sentinels.map(({ server }) => server.answers(...this.#login, command)));
  }

  async #untilReady(): Promise<void> {
    let replies: readonly string[] = [];
    const isReady = async () => {
      replies = await Promise.all(
        this.sentinels.map(({ server }) => server.answers(...this.#login, `SENTINEL MASTER ${this.name}`)),
      );
      return replies.every(
        (reply) =>
          field(reply, 'num-slaves') === REPLICAS && field(reply, 'num-other-sentinels') === SENTINELS - 1,
      );
    };
    await until('sentinels that know each other', isReady).catch((error: unknown) => {
      throw new Error(`The sentinels report:\n${replies.join('\n')}`, { cause: error });
    });
    await this.catchUp();
  }

  async #masterPort({ server }: ProxiedServer): Promise<number | undefined> {
    const command = `SENTINEL GET-MASTER-ADDR-BY-NAME ${this.name}`;
    const reply = await server.answers(...this.#login, command).catch(() => '');
    return Number(/\r\n(\d+)\r\n$/.exec(reply)?.[1]);
  }

  get #login(): readonly string[] {
    return this.#password === undefined ? [] : [`AUTH ${this.#password}`];
  }
}

/** Polls until `find` resolves with a value other than false and undefined. */
async function until<T>(what: string, find: () => Promise<T | false | undefined>): Promise<T> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`There were no ${what} within ${TIMEOUT_MS} ms.`);
    await sleep(POLL_MS);
  }
}

async function areReplicasInSync(master: LocalRedis, offset = 0): Promise<boolean> {
  const info = await master.answers('INFO replication');
  const replicas = info.match(/^slave\d+:.*state=online.*$/gm) ?? [];
  return replicas.filter((line) => Number(/offset=(\d+)/.exec(line)?.[1]) >= offset).length === REPLICAS;
}

async function offsetOf(master: LocalRedis): Promise<number> {
  return Number(/^master_repl_offset:(\d+)/m.exec(await master.answers('INFO replication'))?.[1]);
}

async function startProxied(
  random: Random,
  start: (port: number, announced: number) => Promise<LocalRedis>,
): Promise<ProxiedServer> {
  const port = await freePort();
  const proxy = await TcpProxy.start({ port, random });
  return { server: await start(port, proxy.port), proxy };
}

function times<T>(count: number, create: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, create));
}

/** The value after a name in a reply of bulk strings. */
function field(reply: string, name: string): number {
  return Number(new RegExp(`\\r\\n${name}\\r\\n\\$\\d+\\r\\n(\\d+)\\r\\n`).exec(reply)?.[1]);
}
