// The feed of a recorded session: its frames come again, in their order and at their pace.

import {
  CaptureError,
  type CaptureRecord,
  type MarketEvent,
  paced,
  readCapture,
  toMarketEvents,
} from '@tickbus/capture';
import type { Mapping } from '../mapping.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { type ItemListener, loadMapping, readMappedFrame, reasonOf } from './mapping-module.ts';
import { createSessionFeed, type Session, type SessionListener } from './session-feed.ts';
import { booleanFlag, positiveNumber, text } from './setting.ts';

export interface CaptureFeedOptions {
  /** The recorded session: JSON lines, plain or gzipped. */
  readonly path: string;
  /** 1 is the true pace (default), 2 twice as fast, `Infinity` as fast as possible. */
  readonly speed?: number;
  /** Starts again at the end, without a pause; default false: the feed is down then, for good. */
  readonly loop?: boolean;
  /** What the frames mean; default: what Alpaca, Binance USD-M, Coinbase and the gateway's own recorder write is known. */
  readonly mapping?: Mapping | undefined;
}

/** `FEED=capture`. */
export const capture = defineFeedKind({
  summary: 'a recorded session, replayed',
  settings: {
    CAPTURE_FILE: text('the path of a recorded session').describe('the recorded session (required)'),
    CAPTURE_SPEED: positiveNumber()
      .default(1)
      .describe('pace: 1 as recorded, 2 twice as fast, Infinity (default 1)'),
    CAPTURE_LOOP: booleanFlag().default(false).describe('true to start again at the end (default false)'),
    CAPTURE_MAPPING: text('the path of your mapping module')
      .optional()
      .describe('your mapping module, for frames of a venue that is not known'),
  },
  create: async ({
    CAPTURE_FILE: path,
    CAPTURE_SPEED: speed,
    CAPTURE_LOOP: loop,
    CAPTURE_MAPPING: module,
  }) => {
    const mapping = module === undefined ? undefined : await loadMapping(module);
    return createCaptureFeed({ path, speed, loop, mapping });
  },
});

/**
 * The feed. The file is read once here, to learn the instruments and to find its mistakes early. A session whose recording was
 * cut off is replayed up to there.
 *
 * @throws CaptureError when the file cannot be read; Error when it holds no prices
 */
export async function createCaptureFeed(options: CaptureFeedOptions): Promise<Feed> {
  const { path, mapping } = options;
  const symbols = new Set<string>();
  for await (const record of readCapture(path, { allowTruncated: true }))
    for (const { symbol } of eventsIn(record, mapping, IGNORE_ITEMS)) symbols.add(symbol);
  if (symbols.size === 0) {
    const advice =
      mapping === undefined
        ? ' If its venue is not known, say what its frames mean with CAPTURE_MAPPING.'
        : '';
    throw new Error(`The capture ${path} holds no trades or quotes that can be replayed.${advice}`);
  }
  return createSessionFeed({
    name: 'capture',
    venue: mapping?.venue,
    open: (wanted, listener) => new CaptureSession({ ...options, symbols }, wanted, listener),
  });
}

const IGNORE_ITEMS: ItemListener = { onInvalidFrame() {}, onSubscribed() {}, onRefused() {}, onEnd() {} };

class CaptureSession implements Session {
  readonly #options: CaptureFeedOptions & { readonly symbols: ReadonlySet<string> };
  readonly #listener: SessionListener;
  readonly #abort = new AbortController();
  readonly #finished: Promise<void>;
  #requested: ReadonlySet<string> = new Set();

  constructor(
    options: CaptureFeedOptions & { readonly symbols: ReadonlySet<string> },
    wanted: readonly string[],
    listener: SessionListener,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#finished = this.#run(wanted);
  }

  setSymbols(wanted: readonly string[]): void {
    const { symbols, path } = this.#options;
    const isKnown = (symbol: string) => symbol === '*' || symbols.has(symbol);
    this.#requested = new Set(wanted.filter(isKnown));
    this.#listener.onSubscribed([...this.#requested]);
    const refusal = { code: undefined, isUnknown: true, reason: `It is not in the capture ${path}.` };
    for (const symbol of wanted.filter((one) => !isKnown(one)))
      this.#listener.onRefused({ symbol, ...refusal });
  }

  release(): Promise<void> {
    this.#abort.abort();
    return this.#finished;
  }

  async #run(wanted: readonly string[]): Promise<void> {
    const { path, speed = 1, loop = false } = this.#options;
    const { signal } = this.#abort;
    try {
      // Not before the constructor has returned.
      await Promise.resolve();
      this.setSymbols(wanted);
      this.#listener.onLive();
      do {
        for await (const record of paced(readCapture(path, { allowTruncated: true }), { speed, signal }))
          if (record.dir === 'in') this.#replay(record);
      } while (loop);
      this.#end('The capture has come to its end.');
    } catch (error) {
      if (!signal.aborted)
        this.#end(error instanceof CaptureError ? error.message : `It failed: ${reasonOf(error)}`);
    }
  }

  #replay(record: CaptureRecord): void {
    this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify(record.frame) });
    const events = eventsIn(record, this.#options.mapping, {
      ...IGNORE_ITEMS,
      onInvalidFrame: (reason) => this.#listener.onInvalidFrame(reason),
    });
    this.#listener.onFrame(
      events.filter(({ symbol }) => this.#requested.has(symbol) || this.#requested.has('*')),
    );
  }

  #end(reason: string): void {
    this.#listener.onEnd({ code: undefined, reason, retryable: false });
  }
}

function eventsIn(
  record: CaptureRecord,
  mapping: Mapping | undefined,
  listener: ItemListener,
): readonly MarketEvent[] {
  if (mapping === undefined) return toMarketEvents(record);
  return record.dir === 'in' ? readMappedFrame(mapping, record.frame, listener) : [];
}
