// For the channel reader tests: received messages as text, a listening subscriber, and lost messages.

import { eventLoopTurns } from '@tickbus/test-kit';
import type { Message } from '../../wire/message.ts';
import type { Position } from '../../wire/position.ts';
import { type ALERTS, Bench, type CHAT, type COMMANDS, FILLS } from '../library.fixture.ts';

export type Note = Message<string, { n: number }>;
type Tick = Message<string, { symbol: string; price: number }>;

export const numberOf = ({ data, snapshot }: Note) => (snapshot ? `${data.n} kept` : `${data.n}`);
export const tickOf = ({ data, snapshot }: Tick) => `${data.symbol}${data.price}${snapshot ? ' kept' : ''}`;

/** A listening subscriber of FILLS or another channel of notes, and the messages it received as text. */
export async function listening(
  channel: typeof FILLS | typeof ALERTS | typeof COMMANDS | typeof CHAT = FILLS,
) {
  const bench = new Bench();
  const heard: string[] = [];
  bench.subscriber.subscribe(channel as typeof FILLS, (message) => heard.push(numberOf(message)));
  await bench.subscriber.startListening();
  await eventLoopTurns();
  return { bench, heard };
}

/** The position of the reader of FILLS. */
export function positionOf({ subscriber }: Bench): Position {
  const position = subscriber.status(FILLS)?.position;
  if (position === undefined) throw new Error('The reader has no position yet.');
  return position;
}

/** Drops the notes with these numbers, once each. */
export function lose(bench: Bench, ...numbers: number[]): void {
  const left = new Set(numbers);
  bench.link.loses = ({ data }) => left.delete(data.n as number);
}
