// Checks the writers of a channel: each keeps the order of its calls, and no two write at the same time.

import type { Position } from 'tickbus';
import type { SentRecord } from './records.ts';

/** One message, as a plain Redis client (without tickbus) received it. */
export interface ObservedMessage {
  /** The number in the ledger. */
  readonly n: number;
  readonly epoch: number;
  readonly seq: number;
  /** The name of the writer; unique per writer. */
  readonly sender: string;
}

const MAX_PROBLEMS = 10;

/**
 * Checks that each epoch has one writer, and that positions only increase. After a takeover, a late message of the
 * former writer violates this, because it carries an older epoch or the epoch of the new writer.
 *
 * @returns one sentence per violation
 */
export function checkWriters(messages: readonly ObservedMessage[]): string[] {
  const writers = new Map<number, string>();
  const problems: string[] = [];
  let last: ObservedMessage | undefined;
  for (const message of messages) {
    const { n, epoch, seq, sender } = message;
    const what = `message ${n} (${epoch}-${seq}) of ${sender}`;
    const writer = writers.get(epoch) ?? sender;
    writers.set(epoch, writer);
    if (writer !== sender) problems.push(`${what} is in an epoch of ${writer}`);
    if (last !== undefined && isAtOrBelow(message, last))
      problems.push(`${what} was published after ${last.epoch}-${last.seq} of ${last.sender}`);
    else last = message;
  }
  return problems.slice(0, MAX_PROBLEMS);
}

/**
 * Checks that the positions of one publisher's messages on one channel follow the order of its calls. Messages without
 * a position are skipped.
 *
 * @returns one sentence per violation
 */
export function checkCallOrder(sent: readonly SentRecord[]): string[] {
  const problems: string[] = [];
  let last: SentRecord | undefined;
  for (const message of sent) {
    if (message.position === undefined) continue;
    if (last?.position !== undefined && isAtOrBelow(message.position, last.position))
      problems.push(
        `message ${message.n} (${text(message.position)}) does not follow ${last.n} (${text(last.position)})`,
      );
    last = message;
  }
  return problems.slice(0, MAX_PROBLEMS);
}

function isAtOrBelow(position: Position, other: Position): boolean {
  return position.epoch < other.epoch || (position.epoch === other.epoch && position.seq <= other.seq);
}

function text({ epoch, seq }: Position): string {
  return `${epoch}-${seq}`;
}
