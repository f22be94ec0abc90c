// What a hostile, unauthenticated program does to an HTTP port. Every choice comes from a seeded generator.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Random } from '@tickbus/test-kit/random';

const METHODS = ['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'PATCH', 'POST', 'PROPFIND', 'QUERY'] as const;
const ANSWER_MS = 2_000;

/** What a port serves. */
export type Paths = readonly [string, ...string[]];

/** The sockets of an attack stay open until `close`. */
export class HostileBrowser {
  readonly #port: number;
  readonly #paths: Paths;
  readonly #random: Random;
  readonly #sockets = new Set<Socket>();

  constructor(port: number, paths: Paths, random: Random) {
    this.#port = port;
    this.#paths = paths;
    this.#random = random;
  }

  get open(): number {
    return this.#sockets.size;
  }

  /** Requests the paths with each method, `count` times. Each connection stays open. */
  async methods(count: number): Promise<void> {
    for (const method of METHODS) {
      for (let left = count; left > 0; left--)
        await this.#send(requestText(method, this.#random.pick(this.#paths)));
    }
  }

  /** Requests the paths `count` times. Closes each connection at once, normally or with a reset. */
  async abandoned(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const method = this.#random.pick(['GET', 'HEAD']);
      const socket = await this.#send(requestText(method, this.#random.pick(this.#paths)));
      if (this.#random.percent(50)) socket.resetAndDestroy();
      else socket.end();
    }
  }

  /** Sends only the beginning of each request. */
  async halfOpen(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const text = requestText('POST', '/api/commands', 'content-length: 1000\r\n');
      await this.#send(text.slice(0, this.#random.int(0, text.length)));
    }
  }

  /** Requests a path and never reads the response. */
  async stalled(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const socket = await this.#send(requestText('GET', this.#random.pick(this.#paths)));
      socket.pause();
    }
  }

  /** Headers and bodies that are too large, forged hosts, and bytes that are not HTTP. */
  async garbage(count: number): Promise<void> {
    const texts = [
      requestText('GET', '/', `x: ${'x'.repeat(1_000_000)}\r\n`),
      requestText('GET', `/${'%00'.repeat(10_000)}`),
      requestText('GET', '/../../etc/passwd'),
      requestText('POST', '/api/commands', `content-length: 100000000\r\n\r\n${'x'.repeat(1_000_000)}`),
      requestText('POST', '/api/commands', 'transfer-encoding: chunked\r\n\r\nFFFFFFFF\r\n'),
      'GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000',
      '\r\n'.repeat(10_000),
    ] as const;
    for (let left = count; left > 0; left--) await this.#send(this.#random.pick(texts));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves when the text is sent; the socket is kept. A refused or ended connection is no error. */
  async #send(text: string): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    const connected = once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_MS) });
    await connected.catch(() => socket.destroy());
    socket.write(text);
    if (!socket.isPaused()) socket.resume();
    return socket;
  }
}

function requestText(method: string, path: string, headers = ''): string {
  return `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}\r\n`;
}
