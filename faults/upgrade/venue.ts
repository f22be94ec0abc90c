// A venue with one instrument, whose trades have the prices 1, 2, ... It sends its last trades again to each new
// client.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import { delay } from '../wait.ts';

export const SYMBOL = 'MSFT';

export interface VenueTrade {
  readonly price: number;
  /** Unix milliseconds. */
  readonly at: number;
}

const EVERY_MS = 10;
/** More than happen during a takeover, and more than TRADES keeps. */
const SENT_AGAIN = 1_500;
const IN_FRAME = 20;

export class Venue implements AsyncDisposable {
  readonly trades: VenueTrade[] = [];
  /** The settings of a gateway that uses it. */
  readonly settings: Readonly<Record<string, string>>;
  readonly #server: WebSocketServer;
  readonly #folder: string;
  readonly #hasIds: boolean;
  readonly #running: Promise<void>[] = [];
  #isEnded = false;

  private constructor(server: WebSocketServer, hasIds: boolean) {
    this.#server = server;
    this.#hasIds = hasIds;
    this.#folder = mkdtempSync(join(tmpdir(), 'tickbus-venue-'));
    const mapping = join(this.#folder, 'mapping.mjs');
    writeFileSync(mapping, 'export const read = (frame) => frame;\n');
    const { port } = server.address() as AddressInfo;
    this.settings = {
      FEED: 'websocket',
      WEBSOCKET_URL: `ws://127.0.0.1:${port}`,
      WEBSOCKET_MAPPING: mapping,
      SYMBOLS: SYMBOL,
    };
    server.on('connection', (socket) => void this.#running.push(this.#serve(socket)));
    this.#running.push(this.#trade());
  }

  /** @param hasIds whether its trades have identifiers */
  static async start(hasIds: boolean): Promise<Venue> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new Venue(server, hasIds);
  }

  /** Trades no more. Resolves when all clients have been sent everything. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await this.end();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #trade(): Promise<void> {
    for (let price = 1; !this.#isEnded; price++) {
      this.trades.push({ price, at: Date.now() });
      await delay(EVERY_MS);
    }
  }

  async #serve(socket: WebSocket): Promise<void> {
    let next = Math.max(0, this.trades.length - SENT_AGAIN);
    while (socket.readyState === socket.OPEN) {
      const frame = this.trades.slice(next, next + IN_FRAME);
      if (frame.length === 0 && this.#isEnded) break;
      if (frame.length > 0) socket.send(JSON.stringify(frame.map((trade) => this.#itemOf(trade))));
      next += frame.length;
      await delay(EVERY_MS);
    }
  }

  #itemOf({ price, at }: VenueTrade): object {
    const id = this.#hasIds ? { trade_id: String(price) } : {};
    return { kind: 'trade', symbol: SYMBOL, price, size: 1, timestamp: at, ...id };
  }
}
