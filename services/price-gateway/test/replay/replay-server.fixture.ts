// A local server that replays a recorded session in the venue's own protocol: it answers requests and sends subscribed
// frames.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CaptureRecord, paced, readCapture } from '@tickbus/capture';
import { type WebSocket, WebSocketServer } from 'ws';
import { ReceivedValues } from '../gateway.fixture.ts';

/** The protocol of one venue. */
export interface VenueProtocol {
  /** Answers plain HTTP requests. */
  readonly rest?: RequestListener;
  /** Answers a client's message, and changes its subscriptions. */
  answer(message: unknown, subscriptions: Set<string>): readonly object[];
  /** The subscription that a recorded frame belongs to; undefined if the frame is not sent. */
  topicOf(frame: unknown): string | undefined;
  /** Converts a recorded frame for the client's URL path. */
  adaptFrame?(frame: unknown, path: string): unknown;
}

interface ReplayClient {
  readonly socket: WebSocket;
  readonly path: string;
  readonly subscriptions: Set<string>;
}

export class ReplayServer implements AsyncDisposable {
  readonly port: number;
  /** All messages of clients, in order. */
  readonly received = new ReceivedValues<unknown>();
  /** Connections accepted in total. */
  accepted = 0;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #protocol: VenueProtocol;
  readonly #clients = new Set<ReplayClient>();

  static async start(protocol: VenueProtocol): Promise<ReplayServer> {
    const http = createServer(protocol.rest ?? ((_request, response) => response.writeHead(404).end()));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new ReplayServer(http, protocol);
  }

  private constructor(http: Server, protocol: VenueProtocol) {
    this.port = (http.address() as AddressInfo).port;
    this.#http = http;
    this.#protocol = protocol;
    this.#sockets = new WebSocketServer({ server: http });
    this.#sockets.on('connection', (socket, { url = '/' }) => this.#accept(socket, url));
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** The subscriptions of all clients, sorted. */
  get subscribed(): readonly string[] {
    return [...new Set([...this.#clients].flatMap(({ subscriptions }) => [...subscriptions]))].sort();
  }

  /** Plays the recorded session once; resolves at its end. */
  async play(path: string, { speed = Number.POSITIVE_INFINITY } = {}): Promise<void> {
    for await (const record of paced(readCapture(path), { speed })) this.send(record);
  }

  /** Sends one recorded frame to its subscribers. */
  send({ dir, frame }: Pick<CaptureRecord, 'dir' | 'frame'>): void {
    const topic = dir === 'in' ? this.#protocol.topicOf(frame) : undefined;
    if (topic === undefined) return;
    for (const { socket, path, subscriptions } of this.#clients) {
      if (!subscriptions.has(topic)) continue;
      socket.send(JSON.stringify(this.#protocol.adaptFrame?.(frame, path) ?? frame));
    }
  }

  /** Sends any text to every client. */
  broadcast(text: string): void {
    for (const { socket } of this.#clients) socket.send(text);
  }

  /** Drops every connection without a close frame. */
  drop(): void {
    for (const { socket } of this.#clients) socket.terminate();
  }

  /** Stops reading, so that no ping is answered. */
  freeze(): void {
    for (const { socket } of this.#clients) socket.pause();
  }

  disconnect(code: number, reason = ''): void {
    for (const { socket } of this.#clients) socket.close(code, reason);
  }

  async close(): Promise<void> {
    this.drop();
    this.#sockets.close();
    this.#http.closeAllConnections();
    if (!this.#http.listening) return;
    this.#http.close();
    await once(this.#http, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: WebSocket, path: string): void {
    this.accepted++;
    const client = { socket, path, subscriptions: new Set<string>() };
    this.#clients.add(client);
    socket.on('close', () => this.#clients.delete(client));
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const message = readText(String(data));
      for (const reply of this.#protocol.answer(message, client.subscriptions))
        socket.send(JSON.stringify(reply));
      this.received.add(message);
    });
  }
}

function readText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
