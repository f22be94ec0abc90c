// Stored last values of a `state` channel, with their age by the server clock.

import type { Channel, Envelope, RedisConnection } from 'tickbus';
import { readFrame } from './wire-message.ts';
import { readStored } from './wire-partitions.ts';

export interface StoredValue {
  readonly key: string;
  readonly envelope: Envelope;
  /** Milliseconds since the value was published. */
  readonly ageMs: number;
}

/** Sorted by key. Invalid entries are omitted. */
export async function readStoredValues(
  { subscribing }: RedisConnection,
  channel: Channel,
): Promise<StoredValue[]> {
  await subscribing.connect();
  const states = await readStored(subscribing, channel);
  return states
    .flatMap(({ at: now, entries }) =>
      entries
        .map((frame) => readFrame(channel.name, frame).envelope)
        .filter((envelope) => envelope !== undefined)
        .map((envelope) => ({
          key: channel.keyOf(envelope.data) ?? '',
          envelope,
          ageMs: Math.max(0, now - (envelope.at ?? envelope.timestamp)),
        })),
    )
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
