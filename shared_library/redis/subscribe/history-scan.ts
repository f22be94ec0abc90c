// Reads the histories of a channel and of its keys, page by page, from one head backwards.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { HistoryPage, HistoryQuery, HistoryReader } from '../transport/history-port.ts';
import { decodeEnvelope, type Envelope } from '../wire/envelope.ts';
import { recordSize } from '../wire/message-size.ts';
import type { Position } from '../wire/position.ts';
import { MAX_STORED } from './from.ts';

/** A stored message, or the reason why it cannot be decoded. */
export interface StoredMessage {
  readonly position: Position;
  readonly frame: Uint8Array;
  readonly message: Envelope | undefined;
  readonly error?: unknown;
}

/** Messages of a page. The limit of a page in bytes is about 1 MiB. */
const PAGE = 1_000;
/** Number of keys that are read at a time. */
const PARALLEL = 16;
/** What was read of one history, newest message first. */
export interface Stream {
  readonly messages: readonly StoredMessage[];
  readonly extent: HistoryPage['extent'];
}

export interface Selection {
  readonly after?: Position | undefined;
  /** The number of messages to read. Default: all. */
  readonly wanted?: number;
  /** Called with each message, newest first. Default: take. */
  readonly select?: (message: StoredMessage) => 'take' | 'skip' | 'stop';
}

/** Reads histories up to one head. */
export class HistoryScan {
  readonly head: Position;
  readonly #reader: HistoryReader;
  readonly #channel: Channel;
  #count = 0;
  #isIntact = true;

  constructor(reader: HistoryReader, channel: Channel, head: Position) {
    this.#reader = reader;
    this.#channel = channel;
    this.head = head;
  }

  /** False if the server has begun another epoch, or lost messages, during the read. */
  get isIntact(): boolean {
    return this.#isIntact;
  }

  async readKeys(keys: readonly string[], selectionOf: (key: string) => Selection): Promise<Stream[]> {
    const found: Stream[] = [];
    for (let from = 0; from < keys.length && this.#isIntact; from += PARALLEL) {
      const some = keys.slice(from, from + PARALLEL);
      found.push(...(await Promise.all(some.map((key) => this.read(key, selectionOf(key))))));
    }
    return found;
  }

  async read(
    key: string | undefined,
    { after, wanted = Number.POSITIVE_INFINITY, select = () => 'take' }: Selection = {},
  ): Promise<Stream> {
    const messages: StoredMessage[] = [];
    let before: Position = { epoch: this.head.epoch, seq: this.head.seq + 1 };
    while (messages.length < wanted) {
      const page = await this.#page({ key, before, after, count: Math.min(PAGE, wanted - messages.length) });
      if (!this.#isIntact) break;
      for (const entry of page.entries) {
        const stored = decoded(entry);
        const choice = select(stored);
        if (choice === 'stop') return { messages, extent: 'more' };
        if (choice === 'take') messages.push(stored);
        before = entry.position;
      }
      if (page.extent !== 'more') return { messages, extent: page.extent };
    }
    return { messages, extent: 'more' };
  }

  async #page(query: HistoryQuery): Promise<HistoryPage> {
    const page = await this.#reader.readHistory(this.#channel, query);
    const { position, entries } = page;
    if (position.epoch !== this.head.epoch || position.seq < this.head.seq) this.#isIntact = false;
    this.#count += entries.length;
    if (this.#count <= MAX_STORED) return page;
    const text =
      `The history of ${this.#channel} from which the subscription begins has more than ${MAX_STORED} messages, ` +
      'so none of them is delivered. Name fewer keys, or begin later.';
    throw new TickbusError('TICKBUS_LIMIT_EXCEEDED', text, { field: 'from' });
  }
}

function decoded({ position, frame }: HistoryPage['entries'][number]): StoredMessage {
  try {
    const message = decodeEnvelope(frame);
    recordSize(message, frame.byteLength);
    return { position, frame, message };
  } catch (error) {
    return { position, frame, message: undefined, error };
  }
}
