// What writers of a channel owe: each keeps the order of its calls, and no two write at the same time.

import type { Position } from 'tickbus';
import type { SentRecord } from './records.ts';

/** One message, as a plain client hears it. */
export interface ObservedMessage {
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
export function checkWriters(heard: readonly ObservedMessage[]): string[] {
  const writers = new Map<number, string>();
  const problems: string[] = [];
  let last: ObservedMessage | undefined;
  for (const message of heard) {
    const { n, epoch, seq, sender } = message;
    const what = `message ${n} (${epoch}-${seq}) of ${sender}`;
    const writer = writers.get(epoch) ?? sender;
    writers.set(epoch, writer);
    if (writer !== sender) problems.push(`${what} stands in an epoch of ${writer}`);
    if (last !== undefined && isAtOrBelow(message, last))
      problems.push(`${what} was published after ${last.epoch}-${last.seq} of ${last.sender}`);
    else last = message;
  }
  return problems.slice(0, MAX_PROBLEMS);
}

/**
 * What one publisher sent on one channel, in the order of its calls, stands in that order in the channel. What was not accepted is passed over.
 *
 * @returns what is wrong, in words; empty when nothing is
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
