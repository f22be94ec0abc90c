// A TCP proxy in front of a real server. It forwards everything until a fault is injected.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '@tickbus/test-kit/random';
import { type Fault, ProxyStream } from './proxy-stream.ts';

export type { Fault } from './proxy-stream.ts';

/** The direction that a fault affects. */
export type Direction = 'to_server' | 'to_client' | 'both';

export interface ProxyOptions {
  /** Port of the real server on 127.0.0.1. `switchTo` changes it. */
  port: number;
  /** Random source of slice sizes and jitter. */
  random: Random;
}

/** The connection of one client. */
export class ProxiedLink {
  readonly toServer: ProxyStream;
  readonly toClient: ProxyStream;
  readonly #sockets: readonly [client: Socket, server: Socket];

  constructor(client: Socket, server: Socket, random: Random) {
    this.#sockets = [client, server];
    this.toServer = new ProxyStream(client, server, random);
    this.toClient = new ProxyStream(server, client, random);
    this.#forwardEnd(client, server, this.toServer);
    this.#forwardEnd(server, client, this.toClient);
  }

  /** The port of the proxy's own end of the connection to the server, as in `CLIENT LIST`. */
  get serverSidePort(): number | undefined {
    return this.#sockets[1].localPort;
  }

  inject(fault: Fault, direction: Direction = 'both'): void {
    if (direction !== 'to_client') this.toServer.setFault(fault);
    if (direction !== 'to_server') this.toClient.setFault(fault);
  }

  /** Removes the faults. A connection that lost bytes is reset, because TCP never continues a stream with a hole. */
  heal(): void {
    if (this.toServer.droppedBytes + this.toClient.droppedBytes > 0 || this.#isHalfOpen) return this.reset();
    this.toServer.setFault(undefined);
    this.toClient.setFault(undefined);
  }

  /** Closes the connection with a RST to both sides. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  get isOpen(): boolean {
    return this.#sockets.some((socket) => !socket.destroyed);
  }

  get #isHalfOpen(): boolean {
    return this.#sockets.some((socket) => socket.destroyed);
  }

  /** Forwards the end of one side to the other, except through a blackhole. */
  #forwardEnd(side: Socket, other: Socket, lane: ProxyStream): void {
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
  /** Called for each new connection. */
  readonly #linkListeners = new Set<(link: ProxiedLink) => void>();
  readonly #faults = new Map<Exclude<Direction, 'both'>, Fault>();
  #refuses = false;
  #accepted = 0;

  private constructor(server: Server, options: ProxyOptions) {
    this.#server = server;
    this.#target = options.port;
    this.#random = options.random;
    server.on('connection', (client: Socket) => this.#accept(client));
  }

  /** Resolves when the proxy accepts connections, on a free port of 127.0.0.1. */
  static async start(options: ProxyOptions): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new TcpProxy(server, options);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The connections that are open on at least one side. */
  get links(): readonly ProxiedLink[] {
    for (const link of this.#links) if (!link.isOpen) this.#links.delete(link);
    return [...this.#links];
  }

  /** Count of all connections so far, refused ones included. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Injects the fault into every current and new connection, until `heal`. */
  inject(fault: Fault, direction: Direction = 'both'): void {
    if (direction !== 'to_client') this.#faults.set('to_server', fault);
    if (direction !== 'to_server') this.#faults.set('to_client', fault);
    for (const link of this.links) link.inject(fault, direction);
  }

  /** Switches to the server on this port, as a failover does. Every current connection is reset. */
  switchTo(port: number): void {
    this.#target = port;
    this.reset();
  }

  /** Resets every new connection, until `heal`. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resets every current connection. */
  reset(): void {
    for (const link of this.links) link.reset();
  }

  heal(): void {
    this.#refuses = false;
    this.#faults.clear();
    for (const link of this.links) link.heal();
  }

  /**
   * Drops the reply to the first command that contains `bytes`, and all later replies on that connection. The server
   * still executes the commands. Resolves with the connection when the reply is dropped; reset it then, or leave it
   * silent.
   */
  async dropReplyTo(bytes: string): Promise<ProxiedLink> {
    const link = await this.#firstLinkWith(bytes);
    await link.toClient.dropFromNext();
    return link;
  }

  #firstLinkWith(bytes: string): Promise<ProxiedLink> {
    return new Promise((resolve) => {
      const watch = (link: ProxiedLink) => {
        link.toServer.untilSeen(bytes).then(() => {
          this.#linkListeners.delete(watch);
          resolve(link);
        });
      };
      this.#linkListeners.add(watch);
      for (const link of this.links) watch(link);
    });
  }

  /** Drops only the push message that contains `bytes`, on every current connection. */
  async dropPush(bytes: string): Promise<void> {
    await Promise.all(this.links.map((link) => link.toClient.dropPush(bytes)));
  }

  /** Resets every connection and stops listening. */
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
    for (const watch of this.#linkListeners) watch(link);
  }
}
