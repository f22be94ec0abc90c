// Whether the writers of a channel kept apart: what a plain client heard, in the order in which the server published it.

/** One message, as a plain client hears it. */
export interface Heard {
  /** The number in the ledger. */
  readonly n: number;
  readonly epoch: number;
  readonly seq: number;
  /** Each writer has a name of its own. */
  readonly sender: string;
}

const MAX_PROBLEMS = 10;

/**
 * Each epoch has one writer, epochs never go back, and the numbers of an epoch only grow. A message that a deposed writer gets through
 * after a takeover breaks one of these, because it carries an older epoch, or the epoch of its successor.
 *
 * @returns what is wrong, in words; empty when nothing is
 */
export function checkWriters(heard: readonly Heard[]): string[] {
  const writers = new Map<number, string>();
  const problems: string[] = [];
  let last: Heard | undefined;
  for (const message of heard) {
    const { n, epoch, seq, sender } = message;
    const what = `message ${n} (${epoch}-${seq}) of ${sender}`;
    const writer = writers.get(epoch) ?? sender;
    writers.set(epoch, writer);
    if (writer !== sender) problems.push(`${what} stands in an epoch of ${writer}`);
    if (last !== undefined && (epoch < last.epoch || (epoch === last.epoch && seq <= last.seq)))
      problems.push(`${what} was published after ${last.epoch}-${last.seq} of ${last.sender}`);
    else last = message;
  }
  return problems.slice(0, MAX_PROBLEMS);
}
