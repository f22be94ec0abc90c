// A plain WebSocket client for the protocol tests. It queues received frames; `next()` takes them one by one.

import { once } from 'node:events';
import { decode } from '@msgpack/msgpack';
import { WebSocket } from 'ws';
import { LOCAL_CREDENTIALS } from '../broker.ts';

export class RawClient implements Disposable {
  readonly socket: WebSocket;
  /** The close code, once the connection is closed. */
  readonly closed: Promise<number>;
  readonly #queue: unknown[] = [];
  readonly #waiting: ((frame: unknown) => void)[] = [];

  /** Connects, without waiting for the greeting. */
  static async connect(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const client = new RawClient(new WebSocket(url, { headers }));
    await once(client.socket, 'open');
    return client;
  }

  /** Connects, authenticates, and drops the greeting and the answer. */
  static async authenticated(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.connect(url, headers);
    client.authenticate();
    await client.next();
    await client.next();
    return client;
  }

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('message', (data: Buffer, isBinary) => {
      const frame = isBinary ? decode(data) : readText(data.toString());
      const waiting = this.#waiting.shift();
      if (waiting) waiting(frame);
      else this.#queue.push(frame);
    });
    // `close` reports a dropped connection.
    socket.on('error', () => {});
  }

  /** Number of queued frames. */
  get pending(): number {
    return this.#queue.length;
  }

  /** The next frame, decoded; text that is not JSON is returned unchanged. */
  next(): Promise<unknown> {
    if (this.#queue.length > 0) return Promise.resolve(this.#queue.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next `count` frames. */
  async take(count: number): Promise<unknown[]> {
    const frames: unknown[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  authenticate(credentials = LOCAL_CREDENTIALS): void {
    this.send({ action: 'auth', ...credentials });
  }

  /** Sends a message and resolves with the next frame. */
  request(message: object): Promise<unknown> {
    this.send(message);
    return this.next();
  }

  /** Resolves when the broker has answered a ping: everything that it sent before has arrived. */
  async roundTrip(): Promise<void> {
    this.socket.ping();
    await once(this.socket, 'pong');
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

function readText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
