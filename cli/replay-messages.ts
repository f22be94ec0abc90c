// The messages to replay from a capture file: recorded tickbus messages, or venue frames as prices.

import { type CaptureRecord, readCapture, toVenueEvents, type VenueEvent } from '@tickbus/capture';
import { PriceBook } from '@tickbus/price-gateway/tick';
import { type Channel, defineChannel, type Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { ANYTHING, knownChannel } from './channel-lookup.ts';
import type { JsonPayload } from './payload.ts';
import { envelopeOf } from './wire-message.ts';

export interface MessageToReplay {
  /** Time of receipt, Unix seconds. */
  readonly at: number;
  readonly channel: Channel;
  readonly type: string;
  /** The recorded sender; undefined for a price from a venue frame. */
  readonly sender: string | undefined;
  readonly key: string | undefined;
  /**
   * Returns the payload to publish at `nowMs` (Unix milliseconds). The time of a price is shifted, so that the price is
   * as old as it was in the recording.
   */
  payloadAt(nowMs: number): JsonPayload;
}

/**
 * Yields the messages of a capture in order. Venue frames without a price, such as order books, are skipped.
 *
 * @param onForeign called for each line of `tickbus record` that cannot be published: it is not a tickbus message, or
 *   tickbus does not allow the channel name
 * @throws CaptureError
 */
export async function* replayedMessages(
  path: string,
  onForeign: () => void,
): AsyncGenerator<MessageToReplay, void, undefined> {
  const book = new PriceBook();
  const plainChannels = new Map<string, Channel>();
  // A killed recording ends in the middle of a line; the lines before it are valid.
  for await (const record of readCapture(path, { allowTruncated: true })) {
    if (!isChannelRecord(record)) {
      for (const event of toVenueEvents(record)) yield* priceFrom(record, event, book);
      continue;
    }
    const message = recordedMessage(record, plainChannels);
    if (message === undefined) onForeign();
    else yield message;
  }
}

interface ChannelRecord extends CaptureRecord {
  readonly channel: string;
}

/** A line of `tickbus record` names its channel. */
function isChannelRecord(record: CaptureRecord): record is ChannelRecord {
  return typeof (record as Partial<ChannelRecord>).channel === 'string';
}

function recordedMessage(
  record: ChannelRecord,
  plainChannels: Map<string, Channel>,
): MessageToReplay | undefined {
  const envelope = envelopeOf(record.frame);
  if (envelope === undefined) return undefined;
  const { message_type: type, data, sender } = envelope;
  const channel = knownChannel(record.channel) ?? plainChannel(record.channel, type, plainChannels);
  if (channel === undefined) return undefined;
  const isPrice = channel.gateway && typeof data.timestamp === 'number';
  return {
    at: record.at,
    channel,
    type,
    sender,
    key: channel.keyOf(data),
    payloadAt: (nowMs) =>
      isPrice ? { ...data, timestamp: shifted(data.timestamp as number, record.at, nowMs) } : data,
  };
}

/** Defines a plain channel, once per name and type. Returns undefined for a name that tickbus does not allow. */
function plainChannel(name: string, type: string, known: Map<string, Channel>): Channel | undefined {
  const id = `${name}\n${type}`;
  try {
    const channel = known.get(id) ?? defineChannel(name, { kind: 'plain', messages: { [type]: ANYTHING } });
    known.set(id, channel);
    return channel;
  } catch {
    return undefined;
  }
}

function* priceFrom({ at }: CaptureRecord, event: VenueEvent, book: PriceBook): Generator<MessageToReplay> {
  if (event.kind === 'halt' || event.kind === 'resume') return;
  if (event.kind === 'band') return book.setBand(event);
  const price = book.apply(event);
  if (typeof price === 'string') return;
  yield {
    at,
    channel: CHANNELS.PRICE_DATA,
    type: 'price',
    sender: undefined,
    key: price.symbol,
    payloadAt: (nowMs): JsonPayload =>
      ({ ...price, timestamp: shifted(price.timestamp, at, nowMs) }) satisfies Price,
  };
}

/** Keeps the result at 0 or above. */
function shifted(timestamp: number, recordedAt: number, nowMs: number): number {
  return Math.max(0, Math.round(timestamp - recordedAt * 1_000 + nowMs));
}
