// Reads all messages that the server keeps of a channel, with or without partitions.

import type { Channel } from '../channel/channel.ts';
import { partitionSpecs } from '../channel/partition-specs.ts';
import { TickbusError } from '../errors.ts';
import { systemClock } from '../runtime/system-clock.ts';
import type { ChannelState, Transport } from '../transport/port.ts';
import { decodeEnvelope, type Envelope } from '../wire/envelope.ts';
import type { Position } from '../wire/position.ts';

/** What the server keeps of a channel, or of one of its partitions. */
export interface StoredPart<T> {
  /** A history is in the order of publication. Last values are in any order. */
  readonly messages: readonly T[];
  /** The position of the newest message that was published; `{ epoch: 0, seq: 0 }` if none is known. */
  readonly head: Position;
  /** Server time of the read, Unix milliseconds. */
  readonly at: number;
  /** Whether the history has its full length, so that the server may have dropped older messages. */
  readonly isFull: boolean;
  /** Whether the server restarted or failed over since the epoch began, so that it may lack the newest messages. */
  readonly isForgotten: boolean;
}

/** Messages that are decoded and converted in one turn of the event loop. */
const PER_TURN = 500;
const MAX_ATTEMPTS = 3;

/**
 * Reads what is stored of a channel: one part, or one for each partition. A subscriber with the option `from` also gets
 * the messages that follow; this is for a publisher, which needs to know what was published before it continues.
 *
 * @param transport a link of a connection, such as `connection.publishing`
 * @param convert called with each message, which no schema has checked. What it returns as undefined is left out, like
 *   an entry that is no message
 * @throws TickbusError `TICKBUS_NOT_CONNECTED`, `TICKBUS_DENIED`; `TICKBUS_SERVER_ERROR` if the number of partitions
 *   changes during each of three reads
 * @example
 * const [part] = await readStored(connection.publishing, CHANNELS.BARS, ({ data }) => bar.safeParse(data).data);
 */
export async function readStored<T>(
  transport: Pick<Transport, 'read'>,
  channel: Channel,
  convert: (message: Envelope) => T | undefined,
): Promise<readonly StoredPart<T>[]> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const parts = await readParts(transport, channel, convert);
    if (parts !== undefined) return parts;
  }
  throw new TickbusError(
    'TICKBUS_SERVER_ERROR',
    `The number of partitions of ${channel} changed during each of ${MAX_ATTEMPTS} reads, so what is stored is unknown. ` +
      'Check which programs set it: the option `partitions` must be the same in all of them. Then read again.',
  );
}

/** Undefined if the number of partitions changes during the read. */
async function readParts<T>(
  transport: Pick<Transport, 'read'>,
  channel: Channel,
  convert: (message: Envelope) => T | undefined,
): Promise<readonly StoredPart<T>[] | undefined> {
  const whole = await transport.read(channel);
  const { partitions: count = 1 } = whole;
  if (count === 1) return [await partOf(channel, whole, convert)];
  const parts: StoredPart<T>[] = [];
  for (const partition of partitionSpecs(channel, count)) {
    const state = await transport.read(partition);
    // A partition that nobody has used has no record.
    if ((state.partitions ?? count) !== count) return undefined;
    parts.push(await partOf(channel, state, convert));
  }
  return parts;
}

async function partOf<T>(
  { kind, history }: Channel,
  { entries, position, at, isForgotten = false }: ChannelState,
  convert: (message: Envelope) => T | undefined,
): Promise<StoredPart<T>> {
  const messages: T[] = [];
  for (const [index, entry] of entries.entries()) {
    if (index % PER_TURN === PER_TURN - 1)
      await new Promise<void>((resolve) => systemClock.nextTurn(resolve));
    const message = decoded(entry);
    const converted = message && convert(message);
    if (converted !== undefined) messages.push(converted);
  }
  const isFull = kind !== 'state' && entries.length >= history;
  return { messages, head: position, at, isFull, isForgotten };
}

/** Undefined if a foreign program has changed the entry. */
function decoded(entry: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(entry);
  } catch {
    return undefined;
  }
}
