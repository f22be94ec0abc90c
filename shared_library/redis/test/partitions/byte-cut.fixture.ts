// A TCP proxy that cuts its connections after an exact number of bytes, also in the middle of a command.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class ByteCut implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Bytes that still reach the server; undefined: all. */
  #left: number | undefined;

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on('connection', (client: Socket) => {
      const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      upstream.on('data', (bytes) => client.write(bytes));
      client.on('data', (bytes) => this.#forward(bytes, upstream));
    });
  }

  static async start(target: number): Promise<ByteCut> {
    const server = createServer({ noDelay: true });
    const proxy = new ByteCut(server, target);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts all connections once this many more bytes have been forwarded to the server. */
  cutAfter(bytes: number): void {
    this.#left = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(bytes: Buffer, upstream: Socket): void {
    if (this.#left === undefined || bytes.length < this.#left) {
      if (this.#left !== undefined) this.#left -= bytes.length;
      upstream.write(bytes);
      return;
    }
    upstream.write(bytes.subarray(0, this.#left));
    this.#left = undefined;
    // The server executes what is complete before it notices the end.
    upstream.end();
    for (const socket of this.#sockets) if (socket !== upstream) socket.resetAndDestroy();
  }
}
