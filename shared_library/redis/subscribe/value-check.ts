// Compares the latest values of a subscriber with the server, after messages whose numbers were not confirmed.

import type { Channel } from '../channel/channel.ts';
import type { LatestValues } from '../freshness/latest-values.ts';
import { decodeEnvelope, type Envelope } from '../wire/envelope.ts';
import type { Message } from '../wire/message.ts';
import { keyOfPayload } from '../wire/payload-schema.ts';
import { isBeyond, ORIGIN, type Position, positionOf } from '../wire/position.ts';
import { isCopyOf } from './arrivals.ts';
import type { FanOut } from './fan-out.ts';
import type { Progress } from './progress.ts';

export type ComparedValues = Pick<LatestValues, 'positions' | 'delete'>;

export interface ValueCheckInput {
  readonly channel: Channel;
  readonly values: ComparedValues;
  readonly progress: Pick<Progress, 'position' | 'confirmed'>;
  /** All messages that the server keeps with a position above `confirmed`, or more. */
  readonly kept: readonly Envelope[];
  readonly head: Position;
  /** The messages that were received above the head. Only those that continue its numbers count. */
  readonly rest: readonly Envelope[];
  readonly fanOut: Pick<FanOut, 'keys' | 'matchesAny'>;
}

export interface ValueCheck {
  /** Keys whose value is newer than all messages of that key on the server. It is forged, or the server has lost it. */
  readonly unproved: readonly string[];
  /** Keys whose value the server cannot prove: no subscription wants the key, or the newest message of the key. */
  readonly unprovable: readonly string[];
  /** True if the server keeps a message that the subscriber did not get, because a forged one took its number. */
  readonly isMissing: boolean;
}

/**
 * A message with an unconfirmed number can be forged, and the real message with that number can be lost with the link.
 * Then the server's last value of a key differs from the subscriber's.
 */
export function checkValues(input: ValueCheckInput): ValueCheck {
  const { values, progress, fanOut } = input;
  const { keys } = fanOut;
  const { confirmed = ORIGIN, position = ORIGIN } = progress;
  const isSelected = (key: string, message: Envelope) => fanOut.matchesAny(message.message_type, key);
  const newest = newestByKey(input);
  const unproved: string[] = [];
  const unprovable: string[] = [];
  let isMissing = false;
  for (const [key, at, value] of values.positions()) {
    const isConfirmed = !isBeyond(at, confirmed);
    const server = newest.get(key);
    newest.delete(key);
    if (keys?.has(key) === false || (server !== undefined && !isSelected(key, server))) {
      if (!isConfirmed) unprovable.push(key);
    } else if (server === undefined || isBeyond(at, server as Position)) {
      if (!isConfirmed) unproved.push(key);
    } else if (!isBeyond(server, position)) {
      isMissing ||= isBeyond(server, at) || isOther(input.channel, value, server);
    }
  }
  for (const [key, message] of newest)
    isMissing ||= isBeyond(message, confirmed) && !isBeyond(message, position) && isSelected(key, message);
  return { unproved, unprovable, isMissing };
}

function newestByKey({ channel, kept, head, rest }: ValueCheckInput): Map<string, Envelope> {
  const newest = new Map<string, Envelope>();
  for (const message of [...kept, ...continuationOf(head, rest)]) {
    const key = keyOf(channel, message);
    if (key === undefined) continue;
    const other = newest.get(key);
    if (other === undefined || isBeyond(message, other as Position)) newest.set(key, message);
  }
  return newest;
}

/** If one of these is forged, its number comes twice, or the next check of the head reveals it. */
function continuationOf({ epoch, seq }: Position, rest: readonly Envelope[]): Envelope[] {
  let next = seq + 1;
  return rest.filter((message) => message.epoch === epoch && message.seq === next && next++);
}

function keyOf(channel: Channel, message: Envelope): string | undefined {
  if (positionOf(message) === undefined) return undefined;
  try {
    return keyOfPayload(channel, message.message_type, message.data);
  } catch {
    return undefined;
  }
}

/** Whether a value with the same position as the message has another content. */
function isOther(channel: Channel, value: Uint8Array | Message, message: Envelope): boolean {
  if (value instanceof Uint8Array) return JSON.stringify(decodeEnvelope(value)) !== JSON.stringify(message);
  return !isCopyOf(channel, value as Envelope, message);
}
