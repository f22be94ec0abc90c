// Reads the messages that Redis keeps of a channel.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Channel, Connection, Envelope, Position } from 'tickbus';

export interface StoredMessages {
  /** In the order in which they were published. */
  readonly messages: readonly Envelope[];
  /** Server time of the read, Unix milliseconds. */
  readonly at: number;
}

/** @throws TickbusError if Redis cannot be read */
export async function readStored(
  transport: Connection['publishing'],
  channel: Channel,
): Promise<StoredMessages> {
  const { entries, at } = await transport.read(channel);
  const messages: Envelope[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1) await nextTurn();
    const message = parse(entry);
    if (message !== undefined) messages.push(message);
  }
  return { messages, at };
}

/** The newest messages, without the older ones that a missing message or another epoch separates from them. */
export function unbroken(messages: readonly Envelope[]): readonly Envelope[] {
  const breakAt = messages.findLastIndex((message, index) => {
    const previous = messages[index - 1];
    return previous !== undefined && !follows(previous, message);
  });
  return messages.slice(Math.max(breakAt, 0));
}

/** Whether the message was published before the other one. */
export function precedes(message: Partial<Position>, other: Partial<Position>): boolean {
  const [epoch, otherEpoch] = [message.epoch ?? 0, other.epoch ?? 0];
  return epoch < otherEpoch || (epoch === otherEpoch && (message.seq ?? 0) < (other.seq ?? 0));
}

/** Messages that are parsed in one turn of the event loop. */
const PER_TURN = 500;

function follows(previous: Envelope, { epoch, seq = 0 }: Envelope): boolean {
  return previous.epoch === epoch && (previous.seq ?? 0) + 1 === seq;
}

/** Undefined if a foreign program has changed the entry. The schema of the channel is not checked. */
function parse(entry: Uint8Array): Envelope | undefined {
  try {
    const message: unknown = JSON.parse(new TextDecoder().decode(entry));
    const isObject = typeof message === 'object' && message !== null && 'data' in message;
    return isObject ? (message as Envelope) : undefined;
  } catch {
    return undefined;
  }
}
