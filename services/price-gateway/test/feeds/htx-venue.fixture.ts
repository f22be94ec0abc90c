// A venue that speaks the market data protocol of HTX spot: gzip frames, its own pings, one confirmation a topic.
// Source: huobiapi.github.io/docs/spot/v1/en, "Websocket Market Data"; sample frames of ccxt's `pro/htx.js`.

import { gzipSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import { startVenueServer, type VenueServer } from './venue-server.fixture.ts';

/** HTX closes a connection after this number of unanswered pings. */
const MAX_UNANSWERED = 2;

export interface HtxVenue extends VenueServer {
  /** Sends a ping to each client, and closes the connections that have not answered the last two. */
  ping(id: number): void;
  /** Sends a frame, compressed, to the clients that have subscribed to its topic. */
  publish(frame: { readonly ch: string }): void;
}

interface HtxRequest {
  readonly sub?: string;
  readonly unsub?: string;
  readonly id?: string;
  readonly pong?: number;
}

/** @param symbols the existing symbols */
export async function startHtxVenue(symbols: readonly string[]): Promise<HtxVenue> {
  const clients = new Map<WebSocket, { readonly topics: Set<string>; readonly unanswered: Set<number> }>();
  const server = await startVenueServer({
    onConnection: (socket) => {
      const client = { topics: new Set<string>(), unanswered: new Set<number>() };
      clients.set(socket, client);
      socket.on('close', () => clients.delete(socket));
      socket.on('message', (data) => {
        const { sub = '', unsub, id, pong } = JSON.parse(String(data)) as HtxRequest;
        const symbol = sub.split('.')[1] ?? '';
        if (pong !== undefined) client.unanswered.clear();
        else if (unsub !== undefined) client.topics.delete(unsub);
        else if (symbols.includes(symbol)) {
          client.topics.add(sub);
          send(socket, { id, status: 'ok', subbed: sub, ts: 1_489_474_081_631 });
        } else {
          const error = { 'err-code': 'bad-request', 'err-msg': `invalid symbol ${symbol}` };
          send(socket, { status: 'error', ts: 1_684_650_798_105, id, ...error });
        }
      });
    },
  });
  return {
    ...server,
    ping(id) {
      for (const [socket, { unanswered }] of clients) {
        if (unanswered.size >= MAX_UNANSWERED) socket.close(1003, 'ping check expired');
        unanswered.add(id);
        send(socket, { ping: id });
      }
    },
    publish(frame) {
      for (const [socket, { topics }] of clients) if (topics.has(frame.ch)) send(socket, frame);
    },
  };
}

function send(socket: WebSocket, frame: object): void {
  socket.send(gzipSync(JSON.stringify(frame)));
}
