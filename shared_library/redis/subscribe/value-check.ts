// Compares the latest values of a subscriber with the server, after messages whose numbers were not confirmed.

import type { Channel } from '../channel/channel.ts';
import type { LatestValues } from '../freshness/latest-values.ts';
import type { Envelope } from '../wire/envelope.ts';
import { keyOfPayload } from '../wire/payload-schema.ts';
import { isBeyond, ORIGIN, type Position, positionOf } from '../wire/position.ts';
import type { FanOut } from './fan-out.ts';
import type { Progress } from './progress.ts';

export type ComparedValues = Pick<LatestValues, 'positions' | 'delete'>;

export interface ValueCheckInput {
  readonly channel: Channel;
  readonly values: ComparedValues;
  readonly progress: Pick<Progress, 'position' | 'confirmed'>;
  /** All messages that the server keeps with a position above `confirmed`, or more. */
  readonly kept: readonly Envelope[];
  readonly held: readonly Envelope[];
  /** Messages that no subscription selects are not among the values. */
  readonly fanOut: Pick<FanOut, 'keys' | 'selects'>;
}

export interface ValueCheck {
  /** Keys whose value is newer than all messages of that key on the server. It is forged, or the server has lost it. */
  readonly unproved: readonly string[];
  /** True if the server keeps a message that the subscriber did not get, because a forged one took its number. */
  readonly isMissing: boolean;
}

/**
 * A message with an unconfirmed number can be forged, and the real message with that number can be lost with the link.
 * Then the server's last value of a key differs from the subscriber's.
 */
export function checkValues(input: ValueCheckInput): ValueCheck {
  const { values, progress, kept, held, fanOut } = input;
  const { keys } = fanOut;
  const { confirmed = ORIGIN, position = ORIGIN } = progress;
  const newest = new Map<string, Envelope>();
  for (const message of [...kept, ...held]) {
    const key = keyOf(input, message);
    if (key !== undefined && isNewer(message, newest.get(key))) newest.set(key, message);
  }
  const unproved: string[] = [];
  let isMissing = false;
  for (const [key, at, bytes] of values.positions()) {
    if (keys?.has(key) === false) continue;
    const server = newest.get(key);
    newest.delete(key);
    const isCovered = server !== undefined && !isBeyond(server, position);
    if (isBeyond(at, confirmed) && (server === undefined || isBeyond(at, server as Position)))
      unproved.push(key);
    else if (isCovered && isBeyond(server, at)) isMissing ||= fanOut.selects(server);
    else if (isCovered && !isBeyond(at, server as Position)) isMissing ||= isOther(server, bytes);
  }
  for (const message of newest.values())
    isMissing ||= isBeyond(message, confirmed) && !isBeyond(message, position) && fanOut.selects(message);
  return { unproved, isMissing };
}

function keyOf({ channel }: ValueCheckInput, message: Envelope): string | undefined {
  if (positionOf(message) === undefined) return undefined;
  try {
    return keyOfPayload(channel, message.message_type, message.data);
  } catch {
    return undefined;
  }
}

function isNewer(message: Envelope, than: Envelope | undefined): boolean {
  return than === undefined || isBeyond(message, than as Position);
}

/** Whether an encoded message with the same position has another content. */
function isOther(message: Envelope, bytes: Uint8Array | undefined): boolean {
  return (
    bytes !== undefined &&
    JSON.stringify(JSON.parse(Buffer.from(bytes).toString())) !== JSON.stringify(message)
  );
}
