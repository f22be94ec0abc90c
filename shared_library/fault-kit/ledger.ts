// The ledger of a run: numbers every message, remembers what its publisher was told, and keeps the handlers' histories.

import { type Channel, type Gap, type Position, type Published, TickbusError } from 'tickbus';
import type { Seen, Sent, Testimony } from './records.ts';

export interface LedgerOptions {
  /** The number of the first message; give each process a range of its own. Default 0. */
  firstNumber?: number;
}

export interface WitnessOptions {
  /** The subscription's own filter. */
  keys?: readonly string[];
  /** Default true. */
  mayOverflow?: boolean;
}

/** What a handler is given, as far as the ledger cares. */
interface Told {
  readonly data: unknown;
  readonly epoch?: number;
  readonly seq?: number;
  readonly conflated?: number;
  readonly snapshot?: true;
}

export class Ledger {
  readonly #sent: Sent[] = [];
  readonly #testimonies: Testimony[] = [];
  #next: number;

  constructor({ firstNumber = 0 }: LedgerOptions = {}) {
    this.#next = firstNumber;
  }

  /** The number of the next message, where a ledger that follows this one may begin. */
  get next(): number {
    return this.#next;
  }

  get sent(): readonly Sent[] {
    return this.#sent;
  }

  get testimonies(): readonly Testimony[] {
    return this.#testimonies;
  }

  /** Publishes by `send`, which puts the number in `data.n`, and writes down what it was told. Never rejects. */
  async publish(
    channel: Channel,
    key: string | undefined,
    send: (n: number) => Promise<Published>,
  ): Promise<Sent> {
    const sent: Sent = {
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

  /** A witness expects nothing until it is told to. */
  witness(name: string, channel: Channel, options: WitnessOptions = {}): Witness {
    const witness = new Witness(name, channel, options, () => this.#sent.length);
    this.#testimonies.push(witness.testimony);
    return witness;
  }

  /** Adds what another process wrote down. Every witness of this ledger is expected to see what was sent there. */
  merge(sent: readonly Sent[], testimonies: readonly Testimony[] = []): void {
    for (const one of sent) this.#sent.push(one);
    this.#testimonies.push(...testimonies);
  }
}

/** Stands in a handler's place and writes everything down. */
export class Witness {
  readonly testimony: Testimony;
  readonly #channel: Channel;
  readonly #now: () => number;
  #waiting: { readonly until: (testimony: Testimony) => boolean; readonly done: () => void }[] = [];

  constructor(
    name: string,
    channel: Channel,
    { keys, mayOverflow = true }: WitnessOptions,
    now: () => number,
  ) {
    const { name: channelName, kind } = channel;
    const nothing = { from: undefined, until: undefined, seen: [], gaps: [], expired: [] };
    this.testimony = { name, channel: channelName, kind, keys, mayOverflow, ...nothing };
    this.#channel = channel;
    this.#now = now;
  }

  /** From here on everything that is published is expected: call it when `startListening()` has resolved. */
  expectsAll(): void {
    this.testimony.from ??= this.#now();
  }

  /** Nothing behind what it has seen is expected: call it when its subscription is taken away. */
  leaves(): void {
    this.testimony.until = this.testimony.seen.at(-1)?.position ?? NOWHERE;
  }

  /** The handler. */
  readonly saw = (message: Told): void => {
    this.testimony.seen.push(this.#seen(message));
    this.#look();
  };

  readonly heardExpired = (message: Told): void => {
    this.testimony.expired.push(this.#seen(message));
    this.#look();
  };

  /** The listener for gaps; those of other channels are none of its business. */
  readonly heardOf = (gap: Gap): void => {
    const { channel, mayOverflow, gaps } = this.testimony;
    if (gap.channel !== channel || (gap.cause === 'overflow' && !mayOverflow)) return;
    gaps.push(gap);
    this.#look();
  };

  /** Resolves as soon as the history is so; give the scenario's own time limit the last word. */
  until(isSo: (testimony: Testimony) => boolean): Promise<void> {
    if (isSo(this.testimony)) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ until: isSo, done }));
  }

  #look(): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ until }) => until(this.testimony));
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { done } of ready) done();
  }

  #seen({ data, epoch, seq, conflated = 0, snapshot }: Told): Seen {
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
