// Counts and reports the gaps and the forged numbers of one channel.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { printable } from '../runtime/printable.ts';
import type { Envelope } from '../wire/envelope.ts';
import type { Forged, Gap } from './status.ts';

/** A range of forged numbers in one epoch, and the known senders of their messages. */
export interface ForgedNumbers extends Pick<Forged, 'isProved' | 'senders'> {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

export interface DeliveryReportsOptions {
  readonly channel: string;
  readonly clock: Clock;
  readonly onStatus: (status: Gap | Forged) => void;
}

export function forgedNumber({ epoch = 0, seq = 0, sender }: Envelope): ForgedNumbers {
  return { epoch, from: seq, to: seq, senders: [sender], isProved: true };
}

/** Milliseconds after a report of forged numbers in which further ones are only collected, for one summary. */
const SUMMARY_MS = 1_000;
const MAX_SENDERS = 8;
const MAX_SENDER_LENGTH = 128;

export class DeliveryReports {
  readonly #options: DeliveryReportsOptions;
  readonly counters = { gaps: 0, lost: 0, repaired: 0, forged: 0 };
  /** The epoch of the last reported gap with cause `epoch`. Another such gap of this epoch is not reported. */
  #endedEpoch: number | undefined;
  /** The numbers that are not reported yet, by `isProved`. */
  readonly #summaries = new Map<boolean, ForgedSummary>();
  #cancelTimer: Unsubscribe | undefined;

  constructor(options: DeliveryReportsOptions) {
    this.#options = options;
  }

  gap(gap: Omit<Gap, 'type' | 'channel'>): void {
    if (gap.cause === 'epoch') {
      if (gap.epoch === this.#endedEpoch) return;
      this.#endedEpoch = gap.epoch;
    }
    const { channel, onStatus } = this.#options;
    this.counters.gaps++;
    this.counters.lost += gap.lost ?? 0;
    onStatus({ type: 'gap', channel, ...gap });
  }

  /** Reports at once, or with the next summary if the last report is less than `SUMMARY_MS` old. */
  forged(all: readonly ForgedNumbers[]): void {
    if (all.length === 0) return;
    for (const numbers of all) {
      this.counters.forged += numbers.to - numbers.from + 1;
      const summary = this.#summaries.get(numbers.isProved) ?? new ForgedSummary();
      this.#summaries.set(numbers.isProved, summary);
      summary.add(numbers);
    }
    if (this.#cancelTimer === undefined) this.#report();
  }

  /** Reports the numbers that wait for the next summary. */
  close(): void {
    this.#cancelTimer?.();
    this.#emitSummaries();
  }

  #report(): void {
    this.#cancelTimer = undefined;
    if (this.#summaries.size === 0) return;
    this.#cancelTimer = this.#options.clock.after(SUMMARY_MS, () => this.#report());
    this.#emitSummaries();
  }

  #emitSummaries(): void {
    const { channel, onStatus } = this.#options;
    const summaries = [...this.#summaries];
    this.#summaries.clear();
    for (const [isProved, summary] of summaries)
      onStatus({ type: 'forged', channel, isProved, ...summary.fields });
  }
}

class ForgedSummary {
  #range: Pick<ForgedNumbers, 'epoch' | 'from' | 'to'> | 'several epochs' | undefined;
  #count = 0;
  readonly #senders = new Set<string>();

  get fields(): Omit<Forged, 'type' | 'channel' | 'isProved'> {
    const { epoch, from, to } = typeof this.#range === 'object' ? this.#range : {};
    return { epoch, from, to, count: this.#count, senders: [...this.#senders] };
  }

  add({ epoch, from, to, senders }: ForgedNumbers): void {
    this.#count += to - from + 1;
    const before = this.#range ?? { epoch, from, to };
    if (before !== 'several epochs')
      this.#range =
        before.epoch === epoch
          ? { epoch, from: Math.min(before.from, from), to: Math.max(before.to, to) }
          : 'several epochs';
    for (const sender of senders) {
      if (this.#senders.size === MAX_SENDERS) return;
      this.#senders.add(printable(sender, MAX_SENDER_LENGTH));
    }
  }
}
