// The feed that replays a recorded session, in the original order and at the recorded pace.

import { basename } from 'node:path';
import {
  CaptureError,
  type CaptureRecord,
  paced,
  readCapture,
  toVenueEvents,
  type VenueEvent,
} from '@tickbus/capture';
import { text } from '@tickbus/settings/fields';
import type { Mapping } from '../mapping.ts';
import type { Feed } from './feed.ts';
import { defineFeedKind } from './feed-kind.ts';
import { type ItemListener, loadMapping, readMappedFrame, reasonOf } from './mapping-module.ts';
import { createSessionFeed, type Session, type SessionListener } from './session-feed.ts';
import { booleanFlag, positiveNumber } from './setting.ts';

export interface CaptureFeedOptions {
  /** The recorded session: JSON lines, plain or gzipped. */
  readonly path: string;
  /** 1 is the recorded pace (default), 2 twice as fast, `Infinity` as fast as possible. */
  readonly speed?: number;
  /** Restarts at the end, without a pause. Default false: the feed is down permanently at the end. */
  readonly loop?: boolean;
  /**
   * Parses the frames. Without a mapping, the feed recognizes frames of Alpaca, Binance USD-M, Coinbase and the
   * gateway's recorder.
   */
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
    CAPTURE_LOOP: booleanFlag().default(false).describe('true to restart at the end (default false)'),
    CAPTURE_MAPPING: text('the path of your mapping module')
      .optional()
      .describe('your mapping module, for frames of an unknown venue'),
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
 * Creates the feed. Reads the whole file once, to collect the instruments and to find errors early. A truncated
 * recording is replayed up to the point where it breaks off.
 *
 * @throws CaptureError if the file cannot be read; Error if it contains no prices
 */
export async function createCaptureFeed(options: CaptureFeedOptions): Promise<Feed> {
  const { path, mapping } = options;
  const symbols = new Set<string>();
  for await (const record of readCapture(path, { allowTruncated: true }))
    for (const { symbol } of eventsIn(record, mapping, IGNORE_ITEMS)) symbols.add(symbol);
  if (symbols.size === 0) {
    const advice =
      mapping === undefined
        ? ' If its venue is unknown, set CAPTURE_MAPPING to a mapping of its frames.'
        : '';
    throw new Error(`The capture ${path} contains no trades or quotes to replay.${advice}`);
  }
  return createSessionFeed({
    name: 'capture',
    venue: mapping?.venue,
    origin: mapping?.venue === undefined ? basename(path) : undefined,
    secrets: [],
    open: (requested, listener) => new CaptureSession({ ...options, symbols }, requested, listener),
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
    requested: readonly string[],
    listener: SessionListener,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#finished = this.#run(requested);
  }

  setSymbols(requested: readonly string[]): void {
    const { symbols, path } = this.#options;
    const isKnown = (symbol: string) => symbol === '*' || symbols.has(symbol);
    this.#requested = new Set(requested.filter(isKnown));
    this.#listener.onSubscribed([...this.#requested]);
    const refusal = {
      code: undefined,
      isUnknown: true,
      reason: `The capture ${path} does not contain this instrument.`,
    };
    for (const symbol of requested.filter((one) => !isKnown(one)))
      this.#listener.onRefused({ symbol, ...refusal });
  }

  release(): Promise<void> {
    this.#abort.abort();
    return this.#finished;
  }

  async #run(requested: readonly string[]): Promise<void> {
    const { path, speed = 1, loop = false } = this.#options;
    const { signal } = this.#abort;
    try {
      // The listener must not be called before the constructor has returned.
      await Promise.resolve();
      this.setSymbols(requested);
      this.#listener.onLive();
      do {
        this.#listener.onRecordingBegins();
        for await (const record of paced(readCapture(path, { allowTruncated: true }), { speed, signal }))
          if (record.dir === 'in') this.#replay(record);
      } while (loop);
      this.#end('The recorded session has ended.');
    } catch (error) {
      if (!signal.aborted)
        this.#end(error instanceof CaptureError ? error.message : `The replay failed: ${reasonOf(error)}`);
    }
  }

  #replay(record: CaptureRecord): void {
    if (this.#listener.onRaw !== undefined) this.#record(record.frame);
    const events = eventsIn(record, this.#options.mapping, {
      ...IGNORE_ITEMS,
      onInvalidFrame: (reason, frame) => this.#listener.onInvalidFrame(reason, frame),
    });
    // Drops unrequested events here, so that they are not reported: a recording normally contains other instruments.
    this.#listener.onFrame(
      events.filter(({ symbol }) => this.#requested.has(symbol) || this.#requested.has('*')),
    );
  }

  #record(frame: unknown): void {
    try {
      this.#listener.onRaw?.({ dir: 'in', json: JSON.stringify(frame) });
    } catch {
      this.#listener.onInvalidFrame('The frame is nested too deeply to record it.');
    }
  }

  #end(reason: string): void {
    this.#listener.onEnd({ code: undefined, reason, retryable: false });
  }
}

function eventsIn(
  record: CaptureRecord,
  mapping: Mapping | undefined,
  listener: ItemListener,
): readonly VenueEvent[] {
  if (mapping === undefined) return recognizedEvents(record, listener);
  return record.dir === 'in' ? readMappedFrame(mapping, record.frame, listener) : [];
}

/** If some events of a frame are invalid, the frame is reported once; its other events count. */
function recognizedEvents(record: CaptureRecord, listener: ItemListener): readonly VenueEvent[] {
  const problems: string[] = [];
  const events = toVenueEvents(record, (problem) => problems.push(problem));
  const [first] = problems;
  const count = problems.length === 1 ? '' : ` The frame has ${problems.length} such events.`;
  if (first !== undefined) listener.onInvalidFrame(`${first}.${count}`);
  return events;
}
