// A TCP proxy in this process, in front of a real server: it passes everything on until it is told to do harm.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '@tickbus/test-kit/random';
import { type Fault, ProxyStream } from './proxy-stream.ts';

export type { Fault } from './proxy-stream.ts';

/** Which bytes a fault concerns. */
export type Direction = 'to_server' | 'to_client' | 'both';

export interface ProxyOptions {
  /** Where the real server listens, on 127.0.0.1; `switchTo` changes it. */
  port: number;
  /** Decides the sizes of slices and the jitter of delays. */
  random: Random;
}

/** One client's connection. */
export class ProxiedLink {
  readonly toServer: ProxyStream;
  readonly toClient: ProxyStream;
  readonly #sockets: readonly [client: Socket, server: Socket];

  constructor(client: Socket, server: Socket, random: Random) {
    this.#sockets = [client, server];
    this.toServer = new ProxyStream(client, server, random);
    this.toClient = new ProxyStream(server, client, random);
    this.#tellEnd(client, server, this.toServer);
    this.#tellEnd(server, client, this.toClient);
  }

  inject(fault: Fault, direction: Direction = 'both'): void {
    if (direction !== 'to_client') this.toServer.setFault(fault);
    if (direction !== 'to_server') this.toClient.setFault(fault);
  }

  /** Everything passes again. A connection that lost bytes is reset, as TCP does: no stream ever goes on with a hole in it. */
  heal(): void {
    if (this.toServer.swallowed + this.toClient.swallowed > 0 || this.#isHalfOpen) return this.reset();
    this.toServer.setFault(undefined);
    this.toClient.setFault(undefined);
  }

  /** Ends the connection at once; both sides get a RST. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  get isOpen(): boolean {
    return this.#sockets.some((socket) => !socket.destroyed);
  }

  get #isHalfOpen(): boolean {
    return this.#sockets.some((socket) => socket.destroyed);
  }

  /** One side is gone: the other hears of it, unless nothing gets through to it. */
  #tellEnd(side: Socket, other: Socket, lane: ProxyStream): void {
    side.on('error', () => {});
    side.on('close', () => {
      if (lane.isBlackhole || other.destroyed) return;
      if (side.errored) other.resetAndDestroy();
      else if (side.readableEnded) return;
      else other.destroy();
    });
  }
}

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #random: Random;
  #target: number;
  readonly #links = new Set<ProxiedLink>();
  /** Told of each connection that comes. */
  readonly #watching = new Set<(link: ProxiedLink) => void>();
  readonly #faults = new Map<Exclude<Direction, 'both'>, Fault>();
  #refuses = false;
  #accepted = 0;

  private constructor(server: Server, options: ProxyOptions) {
    this.#server = server;
    this.#target = options.port;
    this.#random = options.random;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  /** Resolves when it takes connections, on a free port of 127.0.0.1. */
  static async start(options: ProxyOptions): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new TcpProxy(server, options);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The connections that are open, or that only one side still believes in. */
  get links(): readonly ProxiedLink[] {
    for (const link of this.#links) if (!link.isOpen) this.#links.delete(link);
    return [...this.#links];
  }

  /** How many connections came so far, refused ones too. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Does this to every connection there is and every one that comes, until `heal`. */
  inject(fault: Fault, direction: Direction = 'both'): void {
    if (direction !== 'to_client') this.#faults.set('to_server', fault);
    if (direction !== 'to_server') this.#faults.set('to_client', fault);
    for (const link of this.links) link.inject(fault, direction);
  }

  /** Moves the address to the server on this port, as a failover does: every connection is reset, and new ones go there. */
  switchTo(port: number): void {
    this.#target = port;
    this.reset();
  }

  /** Resets every connection that comes, until `heal`. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resets every connection there is; new ones pass. */
  reset(): void {
    for (const link of this.links) link.reset();
  }

  heal(): void {
    this.#refuses = false;
    this.#faults.clear();
    for (const link of this.links) link.heal();
  }

  /**
   * The first command that contains `bytes`, on a connection there is or one that comes, is executed and its reply vanishes, with
   * all that follows on that connection. Resolves with the connection once the reply has vanished; reset it then, or leave it silent.
   */
  async swallowReplyTo(bytes: string): Promise<ProxiedLink> {
    const link = await this.#firstToPass(bytes);
    await link.toClient.swallowNext();
    return link;
  }

  #firstToPass(bytes: string): Promise<ProxiedLink> {
    return new Promise((resolve) => {
      const watch = (link: ProxiedLink) => {
        link.toServer.untilSeen(bytes).then(() => {
          this.#watching.delete(watch);
          resolve(link);
        });
      };
      this.#watching.add(watch);
      for (const link of this.links) watch(link);
    });
  }

  /** The pushed message that contains `bytes` vanishes on every connection there is, and nothing else does. */
  async dropPush(bytes: string): Promise<void> {
    await Promise.all(this.links.map((link) => link.toClient.dropPush(bytes)));
  }

  /** Resets everything and ends. */
  async close(): Promise<void> {
    this.#refuses = true;
    this.reset();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket): void {
    this.#accepted++;
    client.on('error', () => {});
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const link = new ProxiedLink(client, server, this.#random);
    this.#links.add(link);
    for (const [direction, fault] of this.#faults) link.inject(fault, direction);
    for (const watch of this.#watching) watch(link);
  }
}
