// Reads all messages that the server keeps of a channel, with or without partitions.

import type { Channel, ChannelSpec } from '../channel/channel.ts';
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
 * @param onUnreadable called with the error of a part that cannot be read, for example because the node of the cluster
 *   that serves it is down; the part is then left out. Default: `readStored` rejects with it
 * @throws TickbusError `TICKBUS_NOT_CONNECTED`, `TICKBUS_DENIED`; `TICKBUS_SERVER_ERROR` if the number of partitions
 *   changes during each of three reads
 * @example
 * const [part] = await readStored(connection.publishing, CHANNELS.BARS, ({ data }) => bar.safeParse(data).data);
 */
export async function readStored<T>(
  transport: Pick<Transport, 'read' | 'head'>,
  channel: Channel,
  convert: (message: Envelope) => T | undefined,
  onUnreadable?: (error: unknown) => void,
): Promise<readonly StoredPart<T>[]> {
  const orUnreadable = <Answer>(answer: Promise<Answer>): Promise<Answer | undefined> =>
    onUnreadable === undefined ? answer : answer.catch((error) => void onUnreadable(error));
  const read = (part: ChannelSpec) => orUnreadable(transport.read(part));
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const whole = await read(channel);
    const { partitions: count = 1 } = whole ?? {};
    const states = count === 1 ? [whole] : await Promise.all(partitionSpecs(channel, count).map(read));
    if (count !== 1) {
      const { partitions = 1 } = (await orUnreadable(transport.head(channel))) ?? { partitions: count };
      if (partitions !== count) continue;
    }
    const parts: StoredPart<T>[] = [];
    for (const state of states) if (state !== undefined) parts.push(await partOf(channel, state, convert));
    return parts;
  }
  throw new TickbusError(
    'TICKBUS_SERVER_ERROR',
    `The number of partitions of ${channel} changed during each of ${MAX_ATTEMPTS} reads, so what is stored is unknown. ` +
      'Check which programs set it: the option `partitions` must be the same in all of them. Then read again.',
  );
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
