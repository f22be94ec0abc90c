// A cluster whose nodes reach each other through proxies, so that a node can be cut off while clients still reach it.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import {
  type AnnouncedPorts,
  type ClusterNode,
  LocalCluster,
  type LocalClusterOptions,
  type OwnPorts,
} from '@tickbus/local-redis/cluster';

/** The proxies of a node, and the address from which the node itself connects to others. */
interface NodeProxies {
  readonly clients: SourceProxy;
  readonly bus: SourceProxy;
  readonly source: string;
}

export class ProxiedCluster implements AsyncDisposable {
  readonly cluster: LocalCluster;
  readonly #proxies: readonly NodeProxies[];

  private constructor(cluster: LocalCluster, proxies: readonly NodeProxies[]) {
    this.cluster = cluster;
    this.#proxies = proxies;
  }

  /** As `LocalCluster.start`. The nodes announce the ports of their proxies. */
  static async start(options: Omit<LocalClusterOptions, 'announce'> = {}): Promise<ProxiedCluster> {
    const proxies: NodeProxies[] = [];
    const announce = async ({ port, busPort }: OwnPorts, index: number): Promise<AnnouncedPorts> => {
      const [clients, bus] = [await SourceProxy.start(port), await SourceProxy.start(busPort)];
      const source = `127.0.1.${index + 1}`;
      proxies[index] = { clients, bus, source };
      return { port: clients.port, busPort: bus.port, args: ['--bind-source-addr', source] };
    };
    return new ProxiedCluster(await LocalCluster.start({ ...options, announce }), proxies);
  }

  /** Nothing passes any more between this node and the others, neither on the bus nor in replication. */
  isolate(node: ClusterNode): void {
    const own = this.#proxies[this.cluster.nodes.indexOf(node)];
    for (const other of this.#proxies) {
      if (other === own || own === undefined) continue;
      for (const proxy of [other.clients, other.bus]) proxy.cut(own.source);
      for (const proxy of [own.clients, own.bus]) proxy.cut(other.source);
    }
  }

  /** Its replicas receive nothing more from this node. Ends with `reunite`. */
  lag(node: ClusterNode): void {
    const own = this.#proxies[this.cluster.nodes.indexOf(node)];
    for (const { source } of this.#proxies) own?.clients.cut(source);
  }

  /** Ends every isolation and lag. */
  reunite(): void {
    for (const { clients, bus } of this.#proxies) for (const proxy of [clients, bus]) proxy.heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await Promise.all(this.#proxies.flatMap(({ clients, bus }) => [clients.close(), bus.close()]));
  }
}

interface ProxiedConnection {
  readonly source: string;
  readonly sockets: readonly [client: Socket, server: Socket];
  /** Whether bytes were dropped, so that the connection cannot go on. */
  isBroken: boolean;
}

/** Forwards connections to a local port. Drops everything of a client address that is cut off. */
class SourceProxy {
  readonly #server: Server;
  readonly #cut = new Set<string>();
  readonly #connections = new Set<ProxiedConnection>();

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on('connection', (client: Socket) => this.#accept(client, target));
  }

  static async start(target: number): Promise<SourceProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new SourceProxy(server, target);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(source: string): void {
    this.#cut.add(source);
  }

  /** Resets the connections that lost bytes. */
  heal(): void {
    this.#cut.clear();
    for (const { isBroken, sockets } of this.#connections)
      if (isBroken) for (const socket of sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const { sockets } of this.#connections) for (const socket of sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, target: number): void {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true });
    const source = client.remoteAddress ?? '';
    const connection: ProxiedConnection = { source, sockets: [client, server], isBroken: false };
    this.#connections.add(connection);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => {});
      from.on('data', (bytes) => {
        if (this.#cut.has(source)) connection.isBroken = true;
        else to.write(bytes);
      });
      from.on('close', () => {
        this.#connections.delete(connection);
        to.destroy();
      });
    }
  }
}
