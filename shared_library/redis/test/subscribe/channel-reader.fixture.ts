// For the channel reader tests: received messages as text, a listening subscriber, and lost messages.

import { eventLoopTurns } from '@tickbus/test-kit';
import type { Message } from '../../wire/message.ts';
import type { Position } from '../../wire/position.ts';
import { type ALERTS, type CHAT, type COMMANDS, FILLS } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

export type Note = Message<string, { n: number }>;
type Tick = Message<string, { symbol: string; price: number }>;

export const noteText = ({ data, snapshot }: Note) => (snapshot ? `${data.n} snapshot` : `${data.n}`);
export const tickText = ({ data, snapshot }: Tick) =>
  `${data.symbol}${data.price}${snapshot ? ' snapshot' : ''}`;

/** A listening subscriber of FILLS or another channel of notes, and the messages it received as text. */
export async function subscribedTo(
  channel: typeof FILLS | typeof ALERTS | typeof COMMANDS | typeof CHAT = FILLS,
) {
  const harness = new PubSubHarness();
  const received: string[] = [];
  harness.subscriber.subscribe(channel as typeof FILLS, (message) => received.push(noteText(message)));
  await harness.subscriber.startListening();
  await eventLoopTurns();
  return { harness, received };
}

/** The position of the reader of FILLS. */
export function positionOf({ subscriber }: PubSubHarness): Position {
  const position = subscriber.status(FILLS)?.position;
  if (position === undefined) throw new Error('The reader has no position yet.');
  return position;
}

/** Drops the notes with these numbers, once each. */
export function dropNotes(harness: PubSubHarness, ...numbers: number[]): void {
  const left = new Set(numbers);
  harness.link.drops = ({ data }) => left.delete(data.n as number);
}
