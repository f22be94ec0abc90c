// A TCP server that accepts WebSocket handshakes and then sends any bytes, even bytes that no library would send.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ReceivedValues } from '../gateway.fixture.ts';

/** One client of the server, after the handshake. */
export interface Victim {
  readonly socket: Socket;
  /** The HTTP request of the handshake. */
  readonly request: string;
  /** Resolves when the TCP connection is closed. */
  readonly closed: Promise<unknown>;
}

export class HostileServer implements AsyncDisposable {
  readonly url: string;
  readonly victims = new ReceivedValues<Victim>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param answer replaces the answer to the handshake */
  static async start(answer?: (socket: Socket) => void): Promise<HostileServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HostileServer(server, answer);
  }

  private constructor(server: Server, answer: ((socket: Socket) => void) | undefined) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v2/iex`;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.once('data', (chunk) => {
        const request = String(chunk);
        if (answer === undefined) socket.write(acceptance(request));
        else answer(socket);
        // Continues to read, because the socket otherwise does not notice the end of the connection.
        socket.resume();
        this.victims.add({ socket, request, closed });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Sends `bytes` again and again, as fast as the client reads, until the connection closes. */
export function flood(socket: Socket, bytes: Uint8Array): void {
  const write = () => {
    while (!socket.destroyed && socket.write(bytes));
    if (!socket.destroyed) socket.once('drain', write);
  };
  write();
}

export const OPCODES = { continuation: 0x0, text: 0x1, binary: 0x2, ping: 0x9 } as const;

/** Encodes a WebSocket frame as a server sends it, which is without a mask. */
export function frame(opcode: number, content: Uint8Array | string, isFinal = true): Buffer {
  const payload = Buffer.from(content);
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  if (head.length === 2) head[1] = payload.length;
  else if (head.length === 4) {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}

/** The frame, repeated to about `bytes`. */
export function repeated(one: Buffer, bytes: number): Buffer {
  return Buffer.alloc(Math.floor(bytes / one.length) * one.length, one);
}

function acceptance(request: string): string {
  const [, key = ''] = /^sec-websocket-key: *(\S+)/im.exec(request) ?? [];
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  return [...lines, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n');
}
