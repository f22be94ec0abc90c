// The protocol of Binance USD-M futures: /fapi/v1/exchangeInfo and WebSocket streams (developers.binance.com).

import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { BINANCE_MARKETS } from './recorded-sessions.fixture.ts';
import type { VenueProtocol } from './replay-server.fixture.ts';

interface BinanceRequest {
  readonly method: 'SUBSCRIBE' | 'UNSUBSCRIBE' | 'LIST_SUBSCRIPTIONS';
  readonly params?: readonly string[];
  readonly id: number;
}

interface CombinedFrame {
  readonly stream?: string;
  readonly data?: object;
}

export interface BinanceOptions {
  /** Answers the REST request and returns true, or returns false: then the recorded markets are the answer. */
  readonly refuse?: (response: ServerResponse) => boolean;
  /** The error to send instead of the acknowledgement of a SUBSCRIBE. */
  readonly objection?: (streams: readonly string[]) => object | undefined;
}

export async function binanceProtocol({ refuse, objection }: BinanceOptions = {}): Promise<VenueProtocol> {
  const markets = gunzipSync(await readFile(BINANCE_MARKETS));
  return {
    rest({ url = '/' }, response) {
      if (refuse?.(response)) return;
      const isKnown = url.startsWith('/fapi/v1/exchangeInfo');
      response.writeHead(isKnown ? 200 : 404, { 'Content-Type': 'application/json' });
      response.end(isKnown ? markets : '{}');
    },
    answer(message, subscriptions) {
      const { method, params = [], id } = message as BinanceRequest;
      const error = method === 'SUBSCRIBE' ? objection?.(params) : undefined;
      if (error !== undefined) return [{ id, error }];
      for (const stream of params) {
        if (method === 'SUBSCRIBE') subscriptions.add(stream);
        else subscriptions.delete(stream);
      }
      return [{ result: method === 'LIST_SUBSCRIPTIONS' ? [...subscriptions] : null, id }];
    },
    topicOf: (frame) => (frame as CombinedFrame).stream,
    /** Frames of combined streams have the stream's name; other paths get the data alone. */
    adaptFrame: (frame, path) => (path.includes('/stream') ? frame : (frame as CombinedFrame).data),
  };
}
