// A price source that replays a recorded exchange session.

import { type MarketEvent, paced, readCapture, toMarketEvents } from '@tickbus/capture';
import type { PriceSource } from './price-source.ts';

export interface CaptureSourceOptions {
  /** The recorded session: JSON lines, plain or gzipped. */
  readonly path: string;
  /** 1 is the recorded pace (default), `Infinity` as fast as possible. */
  readonly speed?: number;
  /** Restarts at the end, without a pause; default true. */
  readonly loop?: boolean;
}

/**
 * Opens a price source with the prices, order and pace of a recorded session. An event's timestamp is the time of the
 * replay. The file is read once here, to collect the symbols and to find errors early, and again in each round.
 *
 * @throws CaptureError if the file cannot be read; Error if it contains no prices
 */
export async function openCaptureSource(options: CaptureSourceOptions): Promise<PriceSource> {
  const { path, speed = 1, loop = true } = options;
  const symbols = new Set<string>();
  for await (const { events } of pricesOf(path)) for (const { symbol } of events) symbols.add(symbol);
  if (symbols.size === 0) throw new Error(`The capture ${path} contains no trades or quotes to replay.`);
  return {
    symbols: [...symbols],
    async *batches(signal) {
      do {
        for await (const { events } of paced(pricesOf(path), { speed, signal })) {
          const timestamp = Date.now();
          yield events.map((event) => ({ ...event, timestamp }));
        }
      } while (loop);
    },
  };
}

/** The frames of a session that contain prices. */
async function* pricesOf(path: string): AsyncGenerator<{ at: number; events: readonly MarketEvent[] }> {
  for await (const record of readCapture(path)) {
    const events = toMarketEvents(record);
    if (events.length > 0) yield { at: record.at, events };
  }
}
