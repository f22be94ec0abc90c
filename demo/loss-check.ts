// Counts prices that are missing at a subscriber without a gap report, by their positions.

import type { Gap, Position } from 'tickbus';

/** The numbers of one epoch that have arrived or that a gap reports, as ranges. */
interface EpochRecord {
  readonly arrived: { from: number; to: number }[];
  readonly reported: { readonly from: number; readonly to: number }[];
  /** Whether a gap reports that the epoch has ended, so that its later messages may be lost. */
  hasReportedEnd: boolean;
}

export class LossCheck {
  readonly #epochs = new Map<number, EpochRecord>();
  #gaps = 0;

  /** Number of gaps that were not repaired. */
  get gaps(): number {
    return this.#gaps;
  }

  onPrice({ epoch, seq }: Position): void {
    const { arrived } = this.#of(epoch);
    const last = arrived.at(-1);
    if (last !== undefined && seq === last.to + 1) last.to = seq;
    else arrived.push({ from: seq, to: seq });
  }

  onGap({ epoch, from, to, cause, repaired }: Gap): void {
    if (!repaired) this.#gaps++;
    if (epoch === undefined) return;
    const record = this.#of(epoch);
    if (from !== undefined && to !== undefined) record.reported.push({ from, to });
    if (cause === 'epoch') record.hasReportedEnd = true;
  }

  /**
   * Missing numbers within each epoch that no gap covers, and one for each epoch whose end no gap reports: its last
   * messages may be missing.
   */
  get silentlyLost(): number {
    const records = [...this.#epochs]
      .filter(([, { arrived }]) => arrived.length > 0)
      .sort(([one], [other]) => one - other)
      .map(([, record]) => record);
    return records.reduce((sum, record, index) => {
      const isEnded = index < records.length - 1;
      return sum + missing(record) + (isEnded && !record.hasReportedEnd ? 1 : 0);
    }, 0);
  }

  #of(epoch: number): EpochRecord {
    let record = this.#epochs.get(epoch);
    if (record === undefined) {
      record = { arrived: [], reported: [], hasReportedEnd: false };
      this.#epochs.set(epoch, record);
    }
    return record;
  }
}

function missing({ arrived, reported }: EpochRecord): number {
  const known = [...arrived, ...reported].sort((one, other) => one.from - other.from);
  let lost = 0;
  let next = Math.min(...arrived.map(({ from }) => from));
  for (const { from, to } of known) {
    if (from > next) lost += from - next;
    next = Math.max(next, to + 1);
  }
  return lost;
}
