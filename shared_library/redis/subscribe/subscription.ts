// One handler's subscription: its filter, its queue, and the loop that runs the handler one message at a time.

import type { Message } from '../wire/message.ts';
import { DeliveryQueue, type Taken } from './delivery-queue.ts';
import type { EventLoopTurn } from './event-loop-turn.ts';

export interface SubscriptionOptions {
  /** Only these message types. Default: all. */
  readonly types?: readonly string[] | undefined;
  /** Only messages with one of these keys. Default: all. */
  readonly keys?: readonly string[] | undefined;
  /** Only messages for which this returns true; called once a message, so keep it cheap. Default: all. */
  readonly where?: ((message: Message) => boolean) | undefined;
  /** By which the values of its keys are judged where a call does not say; see Bounds. */
  readonly maxAgeMs?: number | undefined;
  readonly maxQuietMs?: number | undefined;
  readonly queueLimit: number;
  /** Whether a handler that is behind gets only the newest message of each key. */
  readonly conflate: boolean;
  /** What reports call it. */
  readonly name?: string | undefined;
}

export interface SubscriptionHooks {
  readonly handle: (message: Message) => unknown;
  /** Messages that this subscription will not deliver, told before the next one that it does. */
  readonly onOverflow: (dropped: Dropped) => void;
  readonly onError: (error: unknown, message: Message) => void;
  /** False for a message that is no longer worth handling (an expired command), which the hook then reports. */
  readonly isCurrent: (message: Message) => boolean;
}

/** Messages of one epoch that were dropped, oldest to newest; without numbers where they had none. */
export interface Dropped {
  readonly epoch: number | undefined;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly lost: number;
}

/**
 * States: idle (nothing waits, the next message is handled at once) -> busy (the handler's promise is pending, or its share
 * of this turn is spent; messages queue) -> idle. `closed` ends it from either.
 */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #hooks: SubscriptionHooks;
  readonly #turn: EventLoopTurn;
  readonly #queue: DeliveryQueue<Message>;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #keys: ReadonlySet<string> | undefined;
  #state: 'idle' | 'busy' | 'closed' = 'idle';
  readonly #whenIdle: (() => void)[] = [];
  #dropped: Dropped | undefined;
  /** Whether the channel's kept values were delivered to it; set by the channel reader. */
  joined = false;

  constructor(options: SubscriptionOptions, hooks: SubscriptionHooks, turn: EventLoopTurn) {
    this.#options = options;
    this.#hooks = hooks;
    this.#turn = turn;
    this.#queue = new DeliveryQueue({ limit: options.queueLimit, onDrop: (dropped) => this.#drop(dropped) });
    this.#types = options.types && new Set(options.types);
    this.#keys = options.keys && new Set(options.keys);
  }

  /** The keys that it asks for; undefined: all. */
  get keys(): ReadonlySet<string> | undefined {
    return this.#keys;
  }

  get bounds(): { readonly maxAgeMs: number | undefined; readonly maxQuietMs: number | undefined } {
    return { maxAgeMs: this.#options.maxAgeMs, maxQuietMs: this.#options.maxQuietMs };
  }

  /** Messages that wait for the handler. */
  get depth(): number {
    return this.#queue.depth;
  }

  /** Milliseconds that the oldest of them has been waiting; 0 when none waits. */
  behindMs(now: number): number {
    const since = this.#queue.oldestSince;
    return since === undefined ? 0 : now - since;
  }

  /** Whether a message of this type and key is asked for; what `where` says is asked in `deliver`. */
  wants(type: string, key: string | undefined): boolean {
    if (this.#state === 'closed' || this.#types?.has(type) === false) return false;
    return this.#keys === undefined || (key !== undefined && this.#keys.has(key));
  }

  deliver(message: Message, key: string | undefined): void {
    if (this.#state === 'closed' || !this.#passes(message)) return;
    if (this.#state === 'idle' && !this.#turn.spent) {
      if (this.#start(message)) this.#resume();
      return;
    }
    const { number, startedAt } = this.#turn;
    this.#queue.push(message, this.#options.conflate ? key : undefined, number, startedAt);
    if (this.#state === 'idle') this.#continueNextTurn();
  }

  /** Resolves when every message received so far was handled. */
  drained(): Promise<void> {
    if (this.#state !== 'busy') return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** No message is handled from now on, not even those that wait. */
  close(): void {
    this.#queue.clear();
    this.#rest('closed');
  }

  /** As `close`, and what waits is reported as dropped. */
  abandon(): void {
    for (let taken = this.#queue.take(0); taken !== undefined; taken = this.#queue.take(0)) this.#drop(taken);
    this.#tellDropped();
    this.close();
  }

  /** What is merged in a dropped message is lost with it. */
  #drop({ value, conflated, first }: Taken<Message>): void {
    if (first !== undefined && first.epoch !== value.epoch) {
      // Merged over a change of epoch: where in the old one they stood is not known to the last number.
      this.#hooks.onOverflow({ epoch: first.epoch, from: first.seq, to: undefined, lost: conflated });
      this.#addDropped(value, value.seq, 1);
    } else this.#addDropped(value, first?.seq ?? value.seq, conflated + 1);
  }

  #addDropped({ epoch, seq }: Message, from: number | undefined, count: number): void {
    if (this.#dropped !== undefined && this.#dropped.epoch !== epoch) this.#tellDropped();
    const before = this.#dropped ?? { from, to: seq, lost: 0 };
    this.#dropped = {
      epoch,
      from: lesser(before.from, from),
      to: greater(before.to, seq),
      lost: before.lost + count,
    };
  }

  #tellDropped(): void {
    const dropped = this.#dropped;
    if (dropped === undefined) return;
    this.#dropped = undefined;
    this.#hooks.onOverflow(dropped);
  }

  #passes(message: Message): boolean {
    const { where } = this.#options;
    if (where === undefined) return true;
    try {
      return where(message);
    } catch (error) {
      this.#hooks.onError(error, message);
      return false;
    }
  }

  /** Calls the handler; true when it is done already, false when its promise is pending and will resume the loop. */
  #start(message: Message): boolean {
    this.#state = 'busy';
    const pending = this.#call(message);
    if (pending === undefined) return true;
    const turn = this.#turn;
    const [since, { number }] = [turn.now(), turn];
    const resume = () => {
      // Promises that settle in the turn in which they were made let nothing else in.
      if (turn.number === number) turn.handled(since);
      this.#resume();
    };
    pending.then(resume, (error: unknown) => {
      this.#hooks.onError(error, message);
      resume();
    });
    return false;
  }

  #call(message: Message): Promise<unknown> | undefined {
    if (!this.#hooks.isCurrent(message)) return undefined;
    const since = this.#turn.now();
    try {
      const result = this.#hooks.handle(message);
      // Resolved anew, because a foreign thenable may throw where a promise rejects.
      return isThenable(result) ? Promise.resolve(result) : undefined;
    } catch (error) {
      this.#hooks.onError(error, message);
      return undefined;
    } finally {
      this.#turn.handled(since);
    }
  }

  #resume(): void {
    while (this.#state !== 'closed') {
      if (this.#queue.depth === 0) return this.#rest('idle');
      if (this.#turn.spent) return this.#continueNextTurn();
      this.#tellDropped();
      const taken = this.#queue.take(this.#turn.number);
      if (taken === undefined) return this.#rest('idle');
      const { value, conflated } = taken;
      if (!this.#start(conflated === 0 ? value : { ...value, conflated })) return;
    }
  }

  #continueNextTurn(): void {
    this.#state = 'busy';
    this.#turn.next(() => this.#resume());
  }

  #rest(state: 'idle' | 'closed'): void {
    this.#state = state;
    if (this.#whenIdle.length > 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A key that ticks rarely waits long: what is merged in one message may be older than what is merged in the one dropped before. */
function lesser(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function greater(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
