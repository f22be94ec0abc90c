// One handler's subscription: its filter, its queue, and the loop that runs the handler one message at a time.

import type { Message } from '../wire/message.ts';
import { largeSizeOf } from '../wire/message-size.ts';
import { DeliveryQueue, type QueuedMessage } from './delivery-queue.ts';
import type { EventLoopTurn } from './event-loop-turn.ts';
import type { StartingPoint } from './from.ts';

export interface SubscriptionOptions {
  /** Only these message types. Default: all. */
  readonly types?: readonly string[] | undefined;
  /** Only messages with one of these keys. Default: all. */
  readonly keys?: readonly string[] | undefined;
  /** Only messages for which this returns true. Default: all. */
  readonly where?: ((message: Message) => boolean) | undefined;
  /** The default bounds for the values of its keys, in milliseconds. */
  readonly maxAgeMs?: number | undefined;
  readonly maxQuietMs?: number | undefined;
  readonly queueLimit: number;
  /** True if a handler that is behind gets only the newest message of each key. */
  readonly conflate: boolean;
  /** Identifies the subscription in reports. */
  readonly name?: string | undefined;
  /** Where it begins; undefined: with the next message. */
  readonly start?: StartingPoint | undefined;
}

export interface KeyedMessage {
  readonly message: Message;
  readonly key: string | undefined;
}

export interface SubscriptionHooks {
  readonly handle: (message: Message) => unknown;
  /** Reports dropped messages, before the next message is handled. */
  readonly onOverflow: (dropped: Dropped) => void;
  readonly onError: (error: unknown, message: Message) => void;
  /** False for an expired command, which the hook has reported. */
  readonly shouldHandle: (message: Message) => boolean;
}

/** A range of dropped messages of one epoch. `epoch`, `from` and `to` are undefined if they have no numbers. */
export interface Dropped {
  readonly epoch: number | undefined;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly lost: number;
}

/** Maximum bytes of the messages larger than 2 KiB that wait in one queue. */
const MAX_QUEUE_BYTES = 32 * 1024 * 1024;

/**
 * States:
 *
 * - `idle`: no message waits; the next one is handled at once if this turn has time left.
 * - `busy`: the handler's promise is pending, or handlers have used up the time of this turn. Messages are queued.
 * - `closed`: no message is handled any more.
 */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #hooks: SubscriptionHooks;
  readonly #turn: EventLoopTurn;
  readonly #queue: DeliveryQueue<Message>;
  /** The messages with which it begins. They precede those of the queue, and do not count against its limit. */
  #first: Message[] = [];
  #firstTaken = 0;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #keys: ReadonlySet<string> | undefined;
  #state: 'idle' | 'busy' | 'closed' = 'idle';
  readonly #drainWaiters: (() => void)[] = [];
  #dropped: Dropped | undefined;

  constructor(options: SubscriptionOptions, hooks: SubscriptionHooks, turn: EventLoopTurn) {
    this.#options = options;
    this.#hooks = hooks;
    this.#turn = turn;
    this.#queue = new DeliveryQueue<Message>({
      limit: options.queueLimit,
      maxBytes: MAX_QUEUE_BYTES,
      sizeOf: largeSizeOf,
      onDrop: (dropped) => this.#drop(dropped),
    });
    this.#types = options.types && new Set(options.types);
    this.#keys = options.keys && new Set(options.keys);
  }

  /** The keys that it receives; undefined: all. */
  get keys(): ReadonlySet<string> | undefined {
    return this.#keys;
  }

  get start(): StartingPoint | undefined {
    return this.#options.start;
  }

  get name(): string | undefined {
    return this.#options.name;
  }

  get bounds(): { readonly maxAgeMs: number | undefined; readonly maxQuietMs: number | undefined } {
    return { maxAgeMs: this.#options.maxAgeMs, maxQuietMs: this.#options.maxQuietMs };
  }

  /** The number of messages that wait for the handler. */
  get depth(): number {
    return this.#first.length - this.#firstTaken + this.#queue.depth;
  }

  /** Milliseconds that the oldest message has been waiting; 0 if none waits. */
  behindMs(now: number): number {
    const since = this.#queue.oldestSince;
    return since === undefined ? 0 : now - since;
  }

  /** True if every type and key passes the filters. */
  get isUnfiltered(): boolean {
    return this.#types === undefined && this.#keys === undefined;
  }

  /** True if the type and the key pass the filters. `deliver` checks the `where` filter. */
  matches(type: string, key: string | undefined): boolean {
    if (this.#state === 'closed' || this.#types?.has(type) === false) return false;
    return this.#keys === undefined || (key !== undefined && this.#keys.has(key));
  }

  deliver(message: Message, key: string | undefined): void {
    if (this.#state === 'closed' || !this.#passesWhere(message)) return;
    if (this.#state === 'idle' && !this.#turn.isBudgetSpent) {
      if (this.#handle(message)) this.#resume();
      return;
    }
    const { number, startedAt } = this.#turn;
    this.#queue.push(message, this.#options.conflate ? key : undefined, number, startedAt);
    if (this.#state === 'idle') this.#resumeNextTurn();
  }

  /** Handles the messages before those that arrive from now on. */
  beginWith(messages: readonly KeyedMessage[]): void {
    if (this.#state === 'closed') return;
    for (const { message } of messages) if (this.#passesWhere(message)) this.#first.push(message);
    if (this.#state === 'idle') this.#resume();
  }

  /** Resolves when every message received so far has been handled. */
  drained(): Promise<void> {
    if (this.#state !== 'busy') return Promise.resolve();
    return new Promise((resolve) => this.#drainWaiters.push(resolve));
  }

  /** Discards the messages that wait; none is handled from now on. */
  close(): void {
    this.#queue.clear();
    this.#first = [];
    this.#firstTaken = 0;
    this.#settle('closed');
  }

  /** Like `close`, but also reports the messages that wait as dropped. */
  abandon(): void {
    for (let taken = this.#take(0); taken !== undefined; taken = this.#take(0)) this.#drop(taken);
    this.#reportDropped();
    this.close();
  }

  /** The messages merged into a dropped one are lost too. */
  #drop({ value, conflated, first }: QueuedMessage<Message>): void {
    if (first !== undefined && first.epoch !== value.epoch) {
      // The merged messages span two epochs, so their last number in the older one is unknown.
      this.#hooks.onOverflow({ epoch: first.epoch, from: first.seq, to: undefined, lost: conflated });
      this.#addDropped(value, value.seq, 1);
    } else this.#addDropped(value, first?.seq ?? value.seq, conflated + 1);
  }

  #addDropped({ epoch, seq }: Message, from: number | undefined, count: number): void {
    if (this.#dropped !== undefined && this.#dropped.epoch !== epoch) this.#reportDropped();
    const before = this.#dropped ?? { from, to: seq, lost: 0 };
    this.#dropped = {
      epoch,
      from: minDefined(before.from, from),
      to: maxDefined(before.to, seq),
      lost: before.lost + count,
    };
  }

  #reportDropped(): void {
    const dropped = this.#dropped;
    if (dropped === undefined) return;
    this.#dropped = undefined;
    this.#hooks.onOverflow(dropped);
  }

  #passesWhere(message: Message): boolean {
    const { where } = this.#options;
    if (where === undefined) return true;
    try {
      return where(message);
    } catch (error) {
      this.#hooks.onError(error, message);
      return false;
    }
  }

  /** Returns true if the handler is done; false if its promise is pending and will resume the loop. */
  #handle(message: Message): boolean {
    this.#state = 'busy';
    const pending = this.#callHandler(message);
    if (pending === undefined) return true;
    const turn = this.#turn;
    const [since, { number }] = [turn.now(), turn];
    const resume = () => {
      // A promise that settles in the turn in which it was created has kept the event loop busy.
      if (turn.number === number) turn.addHandlerTime(since);
      this.#resume();
    };
    pending.then(resume, (error: unknown) => {
      this.#hooks.onError(error, message);
      resume();
    });
    return false;
  }

  #callHandler(message: Message): Promise<unknown> | undefined {
    if (!this.#hooks.shouldHandle(message)) return undefined;
    const since = this.#turn.now();
    try {
      const result = this.#hooks.handle(message);
      // Wrapped, because the `then` of a foreign thenable may throw where a promise would reject.
      return isThenable(result) ? Promise.resolve(result) : undefined;
    } catch (error) {
      this.#hooks.onError(error, message);
      return undefined;
    } finally {
      this.#turn.addHandlerTime(since);
    }
  }

  #resume(): void {
    while (this.#state !== 'closed') {
      if (this.depth === 0) return this.#settle('idle');
      if (this.#turn.isBudgetSpent) return this.#resumeNextTurn();
      this.#reportDropped();
      const taken = this.#take(this.#turn.number);
      if (taken === undefined) return this.#settle('idle');
      const { value, conflated } = taken;
      if (!this.#handle(conflated === 0 ? value : { ...value, conflated })) return;
    }
  }

  #take(turn: number): QueuedMessage<Message> | undefined {
    const value = this.#first[this.#firstTaken];
    if (value === undefined) return this.#queue.take(turn);
    if (++this.#firstTaken === this.#first.length) {
      this.#first = [];
      this.#firstTaken = 0;
    }
    return { value, conflated: 0, first: undefined };
  }

  #resumeNextTurn(): void {
    this.#state = 'busy';
    this.#turn.runNextTurn(() => this.#resume());
  }

  #settle(state: 'idle' | 'closed'): void {
    this.#state = state;
    if (this.#drainWaiters.length > 0) for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A message of a rarely updated key can wait long, so a later drop may include older messages than an earlier drop. */
function minDefined(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function maxDefined(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
