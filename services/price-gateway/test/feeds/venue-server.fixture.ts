// A WebSocket server whose handshake and connections the test handles itself.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { ReceivedValues } from '../gateway.fixture.ts';

export interface VenueServerOptions {
  /** Returns the HTTP answer that refuses a connection; undefined to accept it. */
  readonly refuse?: () => string | undefined;
  /** Called with each accepted connection. */
  readonly onConnection?: (socket: WebSocket) => void;
}

export interface VenueServer {
  readonly url: string;
  /** The accepted connections. */
  readonly sockets: ReceivedValues<WebSocket>;
  /** The texts that clients have sent. */
  readonly received: ReceivedValues<string>;
}

/** Starts a server that is closed after the test. */
export async function startVenueServer(options: VenueServerOptions = {}): Promise<VenueServer> {
  const sockets = new ReceivedValues<WebSocket>();
  const received = new ReceivedValues<string>();
  const http = createServer();
  const server = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request: IncomingMessage, tcp: Duplex, head: Buffer) => {
    const refusal = options.refuse?.();
    if (refusal !== undefined) {
      tcp.end(refusal);
      return;
    }
    server.handleUpgrade(request, tcp, head, (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data) => received.add(String(data)));
      sockets.add(socket);
      options.onConnection?.(socket);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    for (const socket of server.clients) socket.terminate();
    http.close();
    http.closeAllConnections();
    await once(http, 'close');
  });
  return { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, sockets, received };
}
