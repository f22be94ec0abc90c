// A price source that replays a recorded exchange session.

import { type MarketEvent, paced, readCapture, toMarketEvents } from '@tickbus/capture';
import type { PriceSource } from './price-source.ts';

/** What is replayed, and how. */
export interface CaptureSourceOptions {
  /** The recorded session: JSON lines, plain or gzipped. */
  readonly path: string;
  /** 1 is the true pace (default), `Infinity` as fast as possible. */
  readonly speed?: number;
  /** Starts again at the end, without a pause; default true. */
  readonly loop?: boolean;
}

/**
 * A price source with the prices, order and pace of a recorded session; an event's timestamp is the moment it is replayed.
 * The file is read once here, to learn the symbols and to find its mistakes early, and again at each round.
 *
 * @throws CaptureError when the file cannot be read; Error when it holds no prices.
 */
export async function openCaptureSource(options: CaptureSourceOptions): Promise<PriceSource> {
  const { path, speed = 1, loop = true } = options;
  const symbols = new Set<string>();
  for await (const { events } of pricesOf(path)) for (const { symbol } of events) symbols.add(symbol);
  if (symbols.size === 0)
    throw new Error(`The capture ${path} holds no trades or quotes that can be replayed.`);
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

/** The frames of a session that hold prices; the others would only cost a pause of no length. */
async function* pricesOf(path: string): AsyncGenerator<{ at: number; events: readonly MarketEvent[] }> {
  for await (const record of readCapture(path)) {
    const events = toMarketEvents(record);
    if (events.length > 0) yield { at: record.at, events };
  }
}
