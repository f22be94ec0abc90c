// Remembers the latest trades of each instrument, to recognise those that a venue sends again. Memory is bounded.

import { MAX_CHANNEL_KEYS } from 'tickbus';

/** What identifies a message about an instrument. */
export interface Identity {
  readonly symbol: string;
  /** Equal for the same message of the venue, and only for it, except for two equal trades without an identifier. */
  readonly key: string;
  /** When it happened at the venue, Unix milliseconds. */
  readonly time: number;
  /** Whether the venue never has two with this key. Otherwise the n-th equal one after an interruption is the n-th. */
  readonly isUnique: boolean;
}

/**
 * - `new`: was not published. `occurrence` numbers equal ones from 1. `isLate`: one that happened later was published.
 * - `repeated`: was published.
 * - `forgotten`: the venue sends it after an interruption, and it is older than what is remembered, so it may have been
 *   published.
 */
export type Admission =
  | { readonly novelty: 'new'; readonly occurrence: number; readonly isLate: boolean }
  | { readonly novelty: 'repeated' | 'forgotten' };

interface Entry {
  /** How many equal ones were published. */
  published: number;
  /** How many equal ones the venue has sent since interruption number `generation`. */
  seen: number;
  generation: number;
  readonly time: number;
  /** The earlier of `time` and the arrival. */
  readonly since: number;
}

interface Instrument {
  /** In the order of arrival. */
  readonly entries: Map<string, Entry>;
  /** The latest time of all entries, also of forgotten ones. */
  newest: number;
  /** The latest time of the forgotten entries. */
  forgotten: number;
  /**
   * What happened up to then may have been published: `forgotten` as of the last interruption, or a later time if an
   * entry was forgotten since that the venue may still send again.
   */
  unknownUntil: number;
  /** The number of interruptions. */
  generation: number;
}

/** Remembered messages of an instrument: twice what venues send again at most. */
const PER_INSTRUMENT = 1_000;
/** Remembered messages of all instruments, about. With more than 500 instruments, each of them has fewer. */
const IN_ALL = 500_000;
const MIN_PER_INSTRUMENT = 10;

const REPEATED = { novelty: 'repeated' } as const;
const FORGOTTEN = { novelty: 'forgotten' } as const;

/**
 * Venues send trades again only after an interruption: without one, everything but a known unique key is new. Equal
 * trades without an identifier are counted: of three equal ones that were published, the venue may send the last two
 * again, and then a fourth.
 */
export class RecentTrades {
  readonly #instruments = new Map<string, Instrument>();
  readonly #now: () => number;
  /** What happened up to then may have been published, also of instruments that are not remembered. */
  #unknownUntil = Number.NEGATIVE_INFINITY;

  /** @param now Unix milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** The venue may send the last trades of the instrument again. */
  interrupt(symbol: string): void {
    const instrument = this.#instrument(symbol);
    instrument.generation++;
    instrument.unknownUntil = instrument.forgotten;
  }

  /** Decides whether the message is to be published, and remembers it. */
  admit({ symbol, key, time, isUnique }: Identity): Admission {
    const instrument = this.#instrument(symbol);
    const entry = instrument.entries.get(key);
    // A venue whose clock runs ahead, even by hours for one trade, does not make later trades late or forgotten.
    const since = Math.min(time, this.#now());
    if (entry === undefined)
      return since <= instrument.unknownUntil ? FORGOTTEN : this.#add(instrument, key, { time, since });
    if (entry.generation !== instrument.generation) {
      entry.generation = instrument.generation;
      entry.seen = 0;
    }
    entry.seen++;
    if (isUnique || entry.seen <= entry.published) return REPEATED;
    // Of equal ones at that time, the server may have dropped some.
    if (since <= instrument.unknownUntil) return FORGOTTEN;
    entry.published++;
    return { novelty: 'new', occurrence: entry.published, isLate: since < instrument.newest };
  }

  /** Remembers a message that was published before, such as one that the server has stored. */
  remember({ symbol, key, time }: Identity): void {
    const instrument = this.#instrument(symbol);
    const entry = instrument.entries.get(key);
    if (entry === undefined) this.#add(instrument, key, { time, since: Math.min(time, this.#now()) });
    else entry.published++;
  }

  /** What happened up to `time` may have been published. @param symbol default: any instrument */
  forgetUntil(time: number, symbol?: string): void {
    const until = Math.min(time, this.#now());
    if (symbol === undefined) this.#unknownUntil = until;
    else {
      const instrument = this.#instrument(symbol);
      instrument.forgotten = Math.max(instrument.forgotten, until);
    }
  }

  /** When the newest message with such a key happened; undefined if none is remembered. */
  timeOf(symbol: string, matches: (key: string) => boolean): number | undefined {
    const entries = this.#instruments.get(symbol)?.entries ?? new Map<string, Entry>();
    return [...entries].findLast(([key]) => matches(key))?.[1].time;
  }

  #add(instrument: Instrument, key: string, times: Pick<Entry, 'time' | 'since'>): Admission {
    const { entries } = instrument;
    entries.set(key, { published: 1, seen: 1, generation: instrument.generation, ...times });
    const isLate = times.since < instrument.newest;
    if (!isLate) instrument.newest = times.since;
    const share = Math.floor(IN_ALL / this.#instruments.size);
    const limit = Math.max(MIN_PER_INSTRUMENT, Math.min(PER_INSTRUMENT, share));
    for (const [oldest, { since, generation }] of entries) {
      if (entries.size <= limit) break;
      entries.delete(oldest);
      instrument.forgotten = Math.max(instrument.forgotten, since);
      // Otherwise one that is new would let all that follow it look new, each in place of the next.
      if (generation !== instrument.generation)
        instrument.unknownUntil = Math.max(instrument.unknownUntil, since);
    }
    return { novelty: 'new', occurrence: 1, isLate };
  }

  #instrument(symbol: string): Instrument {
    return this.#instruments.get(symbol) ?? this.#addInstrument(symbol);
  }

  #addInstrument(symbol: string): Instrument {
    const [oldest] = this.#instruments.keys();
    if (oldest !== undefined && this.#instruments.size >= MAX_CHANNEL_KEYS) this.#instruments.delete(oldest);
    const instrument = {
      entries: new Map(),
      newest: Number.NEGATIVE_INFINITY,
      forgotten: this.#unknownUntil,
      unknownUntil: this.#unknownUntil,
      generation: 0,
    };
    this.#instruments.set(symbol, instrument);
    return instrument;
  }
}
