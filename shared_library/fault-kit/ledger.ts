// The ledger of a run: numbers every message, remembers what its publisher was told, and keeps the handlers' histories.

import { type Channel, type Gap, type Position, type Published, TickbusError } from 'tickbus';
import type { HandledRecord, HandlerHistory, SentRecord } from './records.ts';

export interface LedgerOptions {
  /** The number of the first message; give each process a range of its own. Default 0. */
  firstNumber?: number;
}

export interface HistoryOptions {
  /** The subscription's own filter. */
  keys?: readonly string[];
  /** Default true. */
  mayOverflow?: boolean;
}

/** What a handler is given, as far as the ledger cares. */
interface HandledMessage {
  readonly data: unknown;
  readonly epoch?: number;
  readonly seq?: number;
  readonly conflated?: number;
  readonly snapshot?: true;
}

export class Ledger {
  readonly #sent: SentRecord[] = [];
  readonly #histories: HandlerHistory[] = [];
  #next: number;

  constructor({ firstNumber = 0 }: LedgerOptions = {}) {
    this.#next = firstNumber;
  }

  /** The number of the next message, where a ledger that follows this one may begin. */
  get next(): number {
    return this.#next;
  }

  get sent(): readonly SentRecord[] {
    return this.#sent;
  }

  get histories(): readonly HandlerHistory[] {
    return this.#histories;
  }

  /** Publishes by `send`, which puts the number in `data.n`, and writes down what it was told. Never rejects. */
  async publish(
    channel: Channel,
    key: string | undefined,
    send: (n: number) => Promise<Published>,
  ): Promise<SentRecord> {
    const sent: SentRecord = {
      n: this.#next++,
      channel: channel.name,
      key,
      outcome: 'pending',
      position: undefined,
    };
    this.#sent.push(sent);
    try {
      sent.position = (await send(sent.n)).position;
      sent.outcome = 'accepted';
    } catch (error) {
      if (!(error instanceof TickbusError)) throw error;
      sent.outcome = error.code === 'TICKBUS_OUTCOME_UNKNOWN' ? 'unknown' : 'refused';
    }
    return sent;
  }

  /** A recorder expects nothing until it is told to. */
  recordHandler(name: string, channel: Channel, options: HistoryOptions = {}): HistoryRecorder {
    const recorder = new HistoryRecorder(name, channel, options, () => this.#sent.length);
    this.#histories.push(recorder.history);
    return recorder;
  }

  /** Adds what another process wrote down. Every recorder of this ledger is expected to see what was sent there. */
  merge(sent: readonly SentRecord[], histories: readonly HandlerHistory[] = []): void {
    for (const one of sent) this.#sent.push(one);
    this.#histories.push(...histories);
  }
}

/** Stands in a handler's place and writes everything down. */
export class HistoryRecorder {
  readonly history: HandlerHistory;
  readonly #channel: Channel;
  readonly #now: () => number;
  #waiting: { readonly until: (history: HandlerHistory) => boolean; readonly done: () => void }[] = [];

  constructor(
    name: string,
    channel: Channel,
    { keys, mayOverflow = true }: HistoryOptions,
    now: () => number,
  ) {
    const { name: channelName, kind } = channel;
    const nothing = { from: undefined, until: undefined, seen: [], gaps: [], expired: [] };
    this.history = { name, channel: channelName, kind, keys, mayOverflow, ...nothing };
    this.#channel = channel;
    this.#now = now;
  }

  /** From here on everything that is published is expected: call it when `startListening()` has resolved. */
  expectFromHere(): void {
    this.history.from ??= this.#now();
  }

  /** Nothing behind what it has seen is expected: call it when its subscription is taken away. */
  expectNothingMore(): void {
    this.history.until = this.history.seen.at(-1)?.position ?? NOWHERE;
  }

  /** The handler. */
  readonly onMessage = (message: HandledMessage): void => {
    this.history.seen.push(this.#recordOf(message));
    this.#resolveWaiting();
  };

  readonly onExpired = (message: HandledMessage): void => {
    this.history.expired.push(this.#recordOf(message));
    this.#resolveWaiting();
  };

  /** The listener for gaps; those of other channels are none of its business. */
  readonly onGap = (gap: Gap): void => {
    const { channel, mayOverflow, gaps } = this.history;
    if (gap.channel !== channel || (gap.cause === 'overflow' && !mayOverflow)) return;
    gaps.push(gap);
    this.#resolveWaiting();
  };

  /** Resolves as soon as the history is so; give the scenario's own time limit the last word. */
  until(isSo: (history: HandlerHistory) => boolean): Promise<void> {
    if (isSo(this.history)) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ until: isSo, done }));
  }

  #resolveWaiting(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ until }) => until(this.history));
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { done } of ready) done();
  }

  #recordOf({ data, epoch, seq, conflated = 0, snapshot }: HandledMessage): HandledRecord {
    const payload = data as Readonly<Record<string, unknown>>;
    return {
      n: Number(payload.n),
      position: epoch === undefined || seq === undefined ? undefined : { epoch, seq },
      key: this.#channel.keyOf(payload),
      conflated,
      snapshot: snapshot === true,
    };
  }
}

const NOWHERE: Position = { epoch: 0, seq: 0 };
