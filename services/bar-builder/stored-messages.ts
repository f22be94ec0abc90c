// What the stored messages of a channel prove: from when on all of them are known, also over partitions.

import type { Envelope, Position } from 'tickbus';
import type { StoredPart } from 'tickbus/admin';

export interface StoredMessages {
  /** In the order in which they were published. Between partitions, that is by the time of their server. */
  readonly messages: readonly Envelope[];
  /** Server time of the read, Unix milliseconds. */
  readonly at: number;
}

interface Known {
  readonly messages: readonly Envelope[];
  /** Messages of before may be missing. Server time, Unix milliseconds. */
  readonly from: number;
}

/** The newest messages of all parts, from the time on from which none is missing in any part. */
export function unbroken(parts: readonly StoredPart<Envelope>[]): StoredMessages {
  const known = parts.map(unbrokenPart);
  const from = Math.max(...known.map((part) => part.from));
  const messages = known
    .flatMap((part) => timed(part.messages))
    .filter(({ time }) => time >= from)
    .sort((one, other) => one.time - other.time)
    .map(({ message }) => message);
  return { messages, at: Math.max(...parts.map(({ at }) => at)) };
}

/** Whether the message was published before the other one. */
export function precedes(message: Partial<Position>, other: Partial<Position>): boolean {
  const [epoch, otherEpoch] = [message.epoch ?? 0, other.epoch ?? 0];
  return epoch < otherEpoch || (epoch === otherEpoch && (message.seq ?? 0) < (other.seq ?? 0));
}

/** The newest messages, without the older ones that a missing message or another epoch separates from them. */
function unbrokenPart({ messages, head, at, isFull, isForgotten }: StoredPart<Envelope>): Known {
  const last = messages.at(-1);
  // The holder of a lease begins an epoch in each partition, which can remain without messages.
  if (last === undefined)
    return {
      messages,
      from: head.epoch > 0 && head.seq === 0 && !isForgotten ? Number.NEGATIVE_INFINITY : at,
    };
  if (last.epoch !== head.epoch || last.seq !== head.seq) return { messages: [], from: at };
  const breakAt = messages.findLastIndex((message, index) => {
    const previous = messages[index - 1];
    return previous !== undefined && !follows(previous, message);
  });
  const [first = last, ...rest] = messages.slice(Math.max(breakAt, 0));
  const isAll = breakAt === -1 && first.seq === 1 && !isFull;
  return { messages: [first, ...rest], from: isAll ? Number.NEGATIVE_INFINITY : (first.at ?? at) };
}

function follows(previous: Envelope, { epoch, seq = 0 }: Envelope): boolean {
  return previous.epoch === epoch && (previous.seq ?? 0) + 1 === seq;
}

/** With times that never go back, so that a sort keeps the order of a part. */
function timed(messages: readonly Envelope[]): { readonly message: Envelope; readonly time: number }[] {
  let newest = 0;
  return messages.map((message) => {
    newest = Math.max(newest, message.at ?? 0);
    return { message, time: newest };
  });
}
