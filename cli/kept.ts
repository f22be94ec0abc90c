// The values that the server keeps of a `state` channel, with their age by the server's own clock.

import type { Channel, Envelope, RedisConnection } from 'tickbus';
import { readFrame } from './wire-message.ts';

export interface Kept {
  readonly key: string;
  readonly envelope: Envelope;
  /** Milliseconds since it was published. */
  readonly ageMs: number;
}

/** In the order of their keys. What is no message is left out. */
export async function readKept({ subscribing }: RedisConnection, channel: Channel): Promise<Kept[]> {
  await subscribing.connect();
  const { at: now, entries } = await subscribing.read(channel);
  return entries
    .map((frame) => readFrame(channel.name, frame).envelope)
    .filter((envelope) => envelope !== undefined)
    .map((envelope) => ({
      key: channel.keyOf(envelope.data) ?? '',
      envelope,
      ageMs: Math.max(0, now - (envelope.at ?? envelope.timestamp)),
    }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
