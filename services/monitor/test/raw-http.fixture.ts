// A raw TCP client: sends any bytes to the monitor, and can stop reading or half-close the connection.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawHttpClient {
  readonly socket: Socket;
  #received = '';
  #bytes = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#bytes += chunk.length;
      // The beginning is enough for the status line and the headers.
      if (this.#received.length < 10_000) this.#received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
  }

  /** @param url the address of the monitor */
  static async open(url: string): Promise<RawHttpClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    await once(socket, 'connect');
    return new RawHttpClient(socket);
  }

  /** The beginning of what the monitor has sent. */
  get received(): string {
    return this.#received;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Sends a request with the Host header of the monitor and without a body. */
  request(method: string, path: string, headers: readonly string[] = []): void {
    const { remoteAddress, remotePort } = this.socket;
    const lines = [`${method} ${path} HTTP/1.1`, `Host: ${remoteAddress}:${remotePort}`, ...headers];
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  /** Resolves when the monitor has sent a status line. */
  async status(): Promise<number> {
    while (!this.#received.includes('\r\n')) {
      if (this.socket.destroyed || this.socket.readableEnded)
        throw new Error('The monitor closed the connection without a response.');
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), once(this.socket, 'end')]);
    }
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.#received)?.[1]);
  }

  /** Resolves when the monitor has closed the connection. */
  async closed(): Promise<void> {
    if (!this.socket.destroyed && !this.socket.readableEnded)
      await Promise.race([once(this.socket, 'close'), once(this.socket, 'end')]);
  }

  close(): void {
    this.socket.destroy();
  }
}
