// A TCP proxy that holds requests back, drops replies, and can abandon a connection on the client side only.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes for the server that are held back. */
  readonly held: Buffer[];
  /** Whether this is the connection of a lease. */
  isLease: boolean;
}

export class HoldingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: number;
  readonly #links = new Set<Link>();
  readonly #detached = new Set<Link>();
  /** Holds bytes for the server until `release` or `cut`. */
  holdsRequests = false;
  /** Discards the replies of the server. */
  dropsReplies = false;
  /** Refuses new connections. */
  refuses = false;
  /** Called with all bytes for the server. */
  onRequest: (bytes: Buffer) => void = () => {};
  /** Changes the replies of the server. */
  onReply: (bytes: Buffer) => Buffer = (bytes) => bytes;
  #stop: { readonly text: string; readonly reached: (release: () => void) => void } | undefined;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  static async start(target: number): Promise<HoldingProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new HoldingProxy(server, target);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Closes both sides of every link; held bytes are lost. */
  cut(): void {
    for (const { client, server } of this.#links) {
      client.resetAndDestroy();
      server.destroy();
    }
    this.#links.clear();
  }

  /** Closes the client side of lease connections. The server still receives the held bytes on `release`. */
  abandonLeases(): void {
    for (const link of this.#links) {
      if (!link.isLease) continue;
      this.#links.delete(link);
      this.#detached.add(link);
      link.client.resetAndDestroy();
    }
  }

  /** Forwards held bytes, also on abandoned connections. */
  release(): void {
    this.holdsRequests = false;
    for (const link of [...this.#links, ...this.#detached]) letThrough(link);
  }

  /**
   * Holds back the next request that contains the text, and all later requests of its link. Resolves with a function
   * that forwards them.
   */
  stopAt(text: string): Promise<() => void> {
    return new Promise((reached) => {
      this.#stop = { text, reached };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of [...this.#links, ...this.#detached]) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, server, held: [], isLease: false };
    this.#links.add(link);
    client.on('data', (bytes) => {
      link.isLease ||= bytes.includes(':lease');
      const stop = this.#stop;
      const isStopped = stop !== undefined && bytes.includes(stop.text);
      if (isStopped || this.holdsRequests || link.held.length > 0) link.held.push(bytes);
      else server.write(bytes);
      if (isStopped) {
        this.#stop = undefined;
        stop.reached(() => letThrough(link));
      }
      this.onRequest(bytes);
    });
    server.on('data', (bytes) => {
      if (!this.dropsReplies) client.write(this.onReply(bytes));
    });
    server.on('error', () => {});
    server.on('close', () => {
      this.#detached.delete(link);
      if (this.#links.delete(link)) client.resetAndDestroy();
    });
    client.on('close', () => {
      if (this.#links.delete(link)) server.destroy();
    });
  }
}

function letThrough({ held, server }: Link): void {
  for (const bytes of held.splice(0)) server.write(bytes);
}
