// What a capture file holds for the channels: recorded messages of tickbus, or a venue's frames as prices.

import { type CaptureRecord, type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { PriceBook } from '@tickbus/price-gateway/tick';
import { type Channel, defineChannel, type Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { ANYTHING, bundledChannel } from './channel-lookup.ts';
import type { JsonPayload } from './payload.ts';
import { envelopeOf } from './wire-message.ts';

export interface MessageToReplay {
  /** When it was received, Unix seconds. */
  readonly at: number;
  readonly channel: Channel;
  readonly type: string;
  /** The recorded sender; undefined for a price that comes from a venue's frame. */
  readonly sender: string | undefined;
  readonly key: string | undefined;
  /**
   * The payload for a moment of now, Unix milliseconds: the time of a price is as far behind it as it was behind the recording, so
   * that its age is what it was.
   */
  payloadAt(nowMs: number): JsonPayload;
}

/**
 * The messages of a capture, in order. What is none, such as a venue's order book, is passed over.
 *
 * @param onStranger called for each line of a channel that holds no message of tickbus: it cannot be published
 * @throws CaptureError
 */
export async function* replayedMessages(
  path: string,
  onStranger: () => void,
): AsyncGenerator<MessageToReplay, void, undefined> {
  const book = new PriceBook();
  const strangers = new Map<string, Channel>();
  // A recording that was killed ends in the middle of a line; what is before it is good.
  for await (const record of readCapture(path, { allowTruncated: true })) {
    if (!isOfChannel(record)) {
      for (const event of toMarketEvents(record)) yield* priceFrom(record, event, book);
      continue;
    }
    const message = recordedMessage(record, strangers);
    if (message === undefined) onStranger();
    else yield message;
  }
}

interface ChannelRecord extends CaptureRecord {
  readonly channel: string;
}

/** A line of `tickbus record` names its channel. */
function isOfChannel(record: CaptureRecord): record is ChannelRecord {
  return typeof (record as Partial<ChannelRecord>).channel === 'string';
}

function recordedMessage(
  record: ChannelRecord,
  strangers: Map<string, Channel>,
): MessageToReplay | undefined {
  const envelope = envelopeOf(record.frame);
  if (envelope === undefined) return undefined;
  const { message_type: type, data, sender } = envelope;
  const channel = bundledChannel(record.channel) ?? stranger(record.channel, type, strangers);
  if (channel === undefined) return undefined;
  const isPrice = channel === CHANNELS.PRICE_DATA && typeof data.timestamp === 'number';
  return {
    at: record.at,
    channel,
    type,
    sender,
    key: channel.keyOf(data),
    payloadAt: (nowMs) =>
      isPrice ? { ...data, timestamp: moved(data.timestamp as number, record.at, nowMs) } : data,
  };
}

/**
 * A channel of somebody's own is published on as a plain one. One definition for each channel and type; undefined where tickbus has
 * no such names.
 */
function stranger(name: string, type: string, known: Map<string, Channel>): Channel | undefined {
  const id = `${name}\n${type}`;
  try {
    const channel = known.get(id) ?? defineChannel(name, { kind: 'plain', messages: { [type]: ANYTHING } });
    known.set(id, channel);
    return channel;
  } catch {
    return undefined;
  }
}

function* priceFrom({ at }: CaptureRecord, event: MarketEvent, book: PriceBook): Generator<MessageToReplay> {
  const price = book.apply(event);
  if (typeof price === 'string') return;
  yield {
    at,
    channel: CHANNELS.PRICE_DATA,
    type: 'price',
    sender: undefined,
    key: price.symbol,
    payloadAt: (nowMs): JsonPayload =>
      ({ ...price, timestamp: moved(price.timestamp, at, nowMs) }) satisfies Price,
  };
}

/** Never below 0, which is no time. */
function moved(timestamp: number, recordedAt: number, nowMs: number): number {
  return Math.max(0, Math.round(timestamp - recordedAt * 1_000 + nowMs));
}
