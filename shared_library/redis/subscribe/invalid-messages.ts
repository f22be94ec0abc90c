// The invalid messages of one channel: counts each one, and reports those of one frame together.

import { TickbusError } from '../errors.ts';
import { microtask } from '../runtime/turns.ts';
import { type Envelope, invalidMessage } from '../wire/envelope.ts';

/**
 * @param message the first invalid message
 * @param count how many messages of the frame are invalid
 */
export type OnInvalidFrame = (error: TickbusError, message: Uint8Array, count: number) => void;

interface Pending {
  readonly error: TickbusError;
  readonly message: Uint8Array;
  count: number;
}

export class InvalidMessages {
  readonly #report: OnInvalidFrame;
  #total = 0;
  #pending: Pending | undefined;

  constructor(report: OnInvalidFrame) {
    this.#report = report;
  }

  /** How many messages were invalid. */
  get total(): number {
    return this.#total;
  }

  /** True if `flush` has something to report. */
  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Counts an invalid message. The next `flush` reports it, at the latest when the present task ends. */
  add(error: unknown, message: Uint8Array | Envelope): void {
    this.#total++;
    if (this.#pending !== undefined) {
      this.#pending.count++;
      return;
    }
    const reported = error instanceof TickbusError ? error : invalidMessage('could not be checked');
    const bytes = message instanceof Uint8Array ? message : new TextEncoder().encode(JSON.stringify(message));
    this.#pending = { error: reported, message: bytes, count: 1 };
    microtask(() => this.flush());
  }

  flush(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.#report(pending.error, pending.message, pending.count);
  }
}
