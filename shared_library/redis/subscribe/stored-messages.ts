// Reads the stored messages with which a subscription begins, and finds out which are no longer stored.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { HistoryReader } from '../transport/history-port.ts';
import type { Envelope } from '../wire/envelope.ts';
import { keyOfPayload } from '../wire/payload-schema.ts';
import type { Position } from '../wire/position.ts';
import type { StartingPoint } from './from.ts';
import type { DetectedGap } from './gap-detection.ts';
import { HistoryScan, type StoredMessage, type Stream } from './history-scan.ts';
import type { GapCause } from './status.ts';
import { byPosition, gapsAfter, lowest } from './stored-gaps.ts';

export interface StoredMessages {
  /** The head of the channel at the start of the read. No message is above it. */
  readonly head: Position;
  /** In order of position. They can include messages of other keys. */
  readonly messages: readonly StoredMessage[];
  /**
   * What is no longer stored.
   *
   * @param live the positions of messages that have arrived
   */
  gaps(live: readonly Position[]): readonly DetectedGap[];
}

const MAX_ATTEMPTS = 3;

/**
 * The head is read first. Then the histories are read backwards from it, so that what is published meanwhile is left
 * out: it arrives live.
 *
 * @param keys those of this channel or partition; undefined: all
 * @returns undefined if the channel has another number of partitions, so that its messages are elsewhere
 * @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` for more than `MAX_STORED` messages; `TICKBUS_SERVER_ERROR` if the
 *   epoch changes during each of three attempts
 */
export async function readStored(
  reader: HistoryReader,
  channel: Channel,
  start: StartingPoint,
  keys: readonly string[] | undefined,
): Promise<StoredMessages | undefined> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const { position: head, partitions, isForgotten } = await reader.readHistory(channel, { count: 0 });
    if (partitions !== undefined && partitions !== (channel.layout ?? 1)) return undefined;
    const scan = new HistoryScan(reader, channel, head);
    const found = await readFrom(scan, channel, start, keys, isForgotten);
    if (scan.isIntact) return { head, messages: inOrder(found.messages), gaps: found.gaps };
  }
  throw new TickbusError(
    'TICKBUS_SERVER_ERROR',
    `The epoch of ${channel} changed during each of ${MAX_ATTEMPTS} reads of its history, which was not read. ` +
      'Check what resets the channel; the read is retried.',
  );
}

type Found = Pick<StoredMessages, 'messages' | 'gaps'>;

const noGaps = () => [];

function readFrom(
  scan: HistoryScan,
  channel: Channel,
  start: StartingPoint,
  keys: readonly string[] | undefined,
  isForgotten: boolean,
): Promise<Found> {
  const keyStreams = channel.historyPerKey === undefined ? undefined : keys;
  if (start.last !== undefined) return readLast(scan, channel, start.last, keys, keyStreams);
  if (start.time !== undefined) return readSince(scan, channel, start.time, keyStreams);
  return readAfter(scan, start, keys, keyStreams, isForgotten);
}

async function readLast(
  scan: HistoryScan,
  channel: Channel,
  last: number,
  keys: readonly string[] | undefined,
  keyStreams: readonly string[] | undefined,
): Promise<Found> {
  if (keyStreams !== undefined) {
    const wanted = Math.min(last, channel.historyPerKey ?? 0);
    const found = await scan.readKeys(keyStreams, () => ({ wanted }));
    return { messages: found.flatMap(({ messages }) => messages), gaps: noGaps };
  }
  if (keys === undefined) return { ...(await scan.read(undefined, { wanted: last })), gaps: noGaps };
  const left = new Map(keys.map((key) => [key, last]));
  const select = ({ message }: StoredMessage): 'take' | 'skip' | 'stop' => {
    if (left.size === 0) return 'stop';
    const key = message && keyOf(channel, message);
    const count = key === undefined ? undefined : left.get(key);
    if (key === undefined || count === undefined) return 'skip';
    if (count === 1) left.delete(key);
    else left.set(key, count - 1);
    return 'take';
  };
  return { ...(await scan.read(undefined, { select })), gaps: noGaps };
}

async function readSince(
  scan: HistoryScan,
  { history, historyPerKey = 0 }: Channel,
  time: number,
  keyStreams: readonly string[] | undefined,
): Promise<Found> {
  const select = ({ message }: StoredMessage) => ((message?.at ?? time) < time ? 'stop' : 'take');
  const found =
    keyStreams === undefined
      ? [await scan.read(undefined, { select })]
      : await scan.readKeys(keyStreams, () => ({ select }));
  // A stream that was read to its end, and is full, has probably dropped messages of that time, too.
  const isTrimmed = ({ messages, extent }: Stream) =>
    extent === 'end' && messages.length >= (keyStreams === undefined ? history : historyPerKey + 1);
  const oldest = found
    .filter((stream) => isTrimmed(stream) || (keyStreams === undefined && startsLate(stream)))
    .flatMap(({ messages }) => messages.at(-1)?.position ?? [])
    .sort(byPosition)
    .at(-1);
  const messages = found.flatMap((stream) => stream.messages);
  if (oldest === undefined) return { messages, gaps: noGaps };
  const { epoch, seq } = oldest;
  const to = seq > 1 ? seq - 1 : undefined;
  return {
    messages,
    gaps: () => [{ cause: 'loss', epoch, from: undefined, to, lost: undefined, repaired: false }],
  };
}

/** Whether the oldest message of the channel's history is not the first of its epoch. */
function startsLate({ messages, extent }: Stream): boolean {
  return extent === 'end' && (messages.at(-1)?.position.seq ?? 1) > 1;
}

/**
 * Where the history of a key does not reach back to the position, that of the channel may. Otherwise the range that it
 * does not cover is a gap. The range can include messages of other keys, and messages that the histories of keys have.
 */
async function readAfter(
  scan: HistoryScan,
  { position, positions }: StartingPoint,
  keys: readonly string[] | undefined,
  keyStreams: readonly string[] | undefined,
  isForgotten: boolean,
): Promise<Found> {
  const { head } = scan;
  const afterOf = (key: string) => position ?? positions?.get(key);
  const known = position === undefined ? (keys ?? []).flatMap((key) => afterOf(key) ?? []) : [position];
  /** Losses after the positions `after`, and the ends of epochs after all known ones. */
  const found = (after: readonly Position[], messages: readonly StoredMessage[]): Found => ({
    messages,
    gaps: (live) => {
      const present = [...messages.map((message) => message.position), ...live];
      const gapsOf = (some: readonly Position[], cause: GapCause) =>
        gapsAfter(some, head, isForgotten, present).filter((gap) => gap.cause === cause);
      return [...gapsOf(known, 'epoch'), ...gapsOf(after, 'loss')];
    },
  });
  if (keyStreams === undefined) {
    // A key without a position is read from its oldest message.
    const isBounded = position !== undefined || known.length === keys?.length;
    const { messages } = await scan.read(undefined, isBounded ? { after: lowest(known) } : {});
    return found(known, messages);
  }
  const streams = await scan.readKeys(keyStreams, (key) => ({ after: afterOf(key) }));
  const messages = streams.flatMap((stream) => stream.messages);
  const uncovered = keyStreams.flatMap((key, index) => {
    const after = afterOf(key);
    const isCovered =
      after === undefined || streams[index]?.extent === 'covered' || byPosition(after, head) === 0;
    return isCovered ? [] : after;
  });
  if (uncovered.length === 0) return found([], messages);
  const ofChannel = await scan.read(undefined, { after: lowest(uncovered) });
  const isCovered = ofChannel.extent === 'covered';
  return found(isCovered ? [] : uncovered, [...messages, ...ofChannel.messages]);
}

/** Each message once, in order of position. */
function inOrder(messages: readonly StoredMessage[]): StoredMessage[] {
  const sorted = [...messages].sort((a, b) => byPosition(a.position, b.position));
  return sorted.filter(({ position }, index) => {
    const before = sorted[index - 1]?.position;
    return before === undefined || byPosition(before, position) !== 0;
  });
}

/** Undefined for a message without a key, which is invalid. */
function keyOf(channel: Channel, { message_type, data }: Envelope): string | undefined {
  try {
    return keyOfPayload(channel, message_type, data);
  } catch {
    return undefined;
  }
}
