// The ledger of a run: numbers every message, and records the outcome of each publish and the history of each handler.

import { type Channel, type Gap, type Position, type Published, TickbusError } from 'tickbus';
import type { HandledRecord, HandlerHistory, SentRecord } from './records.ts';

export interface LedgerOptions {
  /** The number of the first message. Each process needs a separate range. Default 0. */
  firstNumber?: number;
}

export interface HistoryOptions {
  /** The key filter of the subscription. */
  keys?: readonly string[];
  /** Whether the handler may have gaps of cause `overflow`. Default true. */
  mayOverflow?: boolean;
  /**
   * Whether a `state` channel may give last values (`snapshot`) again, as it does after a failover that lost messages.
   * A repeated one is not recorded. Default false.
   */
  mayRepeatLastValues?: boolean;
}

/** The fields of a handled message that the ledger records. */
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

  /** The number of the next message. A ledger that continues this one takes it as `firstNumber`. */
  get next(): number {
    return this.#next;
  }

  get sent(): readonly SentRecord[] {
    return this.#sent;
  }

  get histories(): readonly HandlerHistory[] {
    return this.#histories;
  }

  /**
   * Calls `send` with the next number, and records the outcome. `send` publishes a message with the number in `data.n`.
   * A TickbusError is recorded and not thrown.
   */
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

  /** Creates a recorder for one handler. It expects no message until its `expectFromHere` is called. */
  recordHandler(name: string, channel: Channel, options: HistoryOptions = {}): HistoryRecorder {
    const recorder = new HistoryRecorder(name, channel, options, () => this.#sent.length);
    this.#histories.push(recorder.history);
    return recorder;
  }

  /** Adds the records of another process. Every handler of this ledger is expected to receive those messages too. */
  merge(sent: readonly SentRecord[], histories: readonly HandlerHistory[] = []): void {
    for (const one of sent) this.#sent.push(one);
    this.#histories.push(...histories);
  }
}

/** A handler that records everything that it receives. */
export class HistoryRecorder {
  readonly history: HandlerHistory;
  readonly #channel: Channel;
  readonly #now: () => number;
  readonly #mayRepeatLastValues: boolean;
  #waiting: { readonly matches: (history: HandlerHistory) => boolean; readonly done: () => void }[] = [];

  constructor(
    name: string,
    channel: Channel,
    { keys, mayOverflow = true, mayRepeatLastValues = false }: HistoryOptions,
    now: () => number,
  ) {
    const { name: channelName, kind } = channel;
    const nothing = { from: undefined, until: undefined, seen: [], gaps: [], expired: [] };
    this.history = { name, channel: channelName, kind, keys, mayOverflow, ...nothing };
    this.#channel = channel;
    this.#now = now;
    this.#mayRepeatLastValues = mayRepeatLastValues;
  }

  /** Expects every message published from now on. Call it after `startListening()` has resolved. */
  expectFromHere(): void {
    this.history.from ??= this.#now();
  }

  /** Expects no message after the last handled one. Call it when the subscription is removed. */
  expectNothingMore(): void {
    this.history.until = this.history.seen.at(-1)?.position ?? BEFORE_ALL;
  }

  /** The message handler. */
  readonly onMessage = (message: HandledMessage): void => {
    const record = this.#recordOf(message);
    const isRepeated = record.snapshot && this.history.seen.some(({ n }) => n === record.n);
    if (isRepeated && this.#mayRepeatLastValues) return;
    this.history.seen.push(record);
    this.#resolveWaiting();
  };

  readonly onExpired = (message: HandledMessage): void => {
    this.history.expired.push(this.#recordOf(message));
    this.#resolveWaiting();
  };

  /** The listener for gaps. It ignores gaps on other channels, and overflows unless `mayOverflow` is set. */
  readonly onGap = (gap: Gap): void => {
    const { channel, mayOverflow, gaps } = this.history;
    if (gap.channel !== channel || (gap.cause === 'overflow' && !mayOverflow)) return;
    gaps.push(gap);
    this.#resolveWaiting();
  };

  /** Resolves when the history matches. There is no time limit. */
  until(matches: (history: HandlerHistory) => boolean): Promise<void> {
    if (matches(this.history)) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ matches, done }));
  }

  #resolveWaiting(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ matches }) => matches(this.history));
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

const BEFORE_ALL: Position = { epoch: 0, seq: 0 };
