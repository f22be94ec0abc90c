// What a capture file holds for the channels: recorded messages of tickbus, or a venue's frames as prices.

import { type CaptureRecord, type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { PriceBook } from '@tickbus/price-gateway/tick';
import { type Channel, defineChannel, type Price } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { ANYTHING, bundledChannel } from './channels.ts';
import type { Payload } from './payload.ts';
import { envelopeOf } from './wire-message.ts';

export interface ReplayedMessage {
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
  payloadAt(nowMs: number): Payload;
}

/** The messages of a capture, in order; what is none, such as a venue's order book, is passed over. @throws CaptureError */
export async function* replayedMessages(path: string): AsyncGenerator<ReplayedMessage, void, undefined> {
  const book = new PriceBook();
  const strangers = new Map<string, Channel>();
  // A recording that was killed ends in the middle of a line; what is before it is good.
  for await (const record of readCapture(path, { allowTruncated: true })) {
    const message = recordedMessage(record, strangers);
    if (message !== undefined) yield message;
    else for (const event of toMarketEvents(record)) yield* priceFrom(record, event, book);
  }
}

/** A line of `tickbus record` names its channel. */
function recordedMessage(
  record: CaptureRecord,
  strangers: Map<string, Channel>,
): ReplayedMessage | undefined {
  const { channel: name } = record as { channel?: unknown };
  const envelope = envelopeOf(record.frame);
  if (typeof name !== 'string' || envelope === undefined) return undefined;
  const { message_type: type, data, sender } = envelope;
  const channel = bundledChannel(name) ?? stranger(name, type, strangers);
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

/** A channel of somebody's own is published on as a plain one. One definition for each channel and type. */
function stranger(name: string, type: string, known: Map<string, Channel>): Channel {
  const id = `${name}\n${type}`;
  const channel = known.get(id) ?? defineChannel(name, { kind: 'plain', messages: { [type]: ANYTHING } });
  known.set(id, channel);
  return channel;
}

function* priceFrom({ at }: CaptureRecord, event: MarketEvent, book: PriceBook): Generator<ReplayedMessage> {
  const price = book.apply(event);
  if (typeof price === 'string') return;
  yield {
    at,
    channel: CHANNELS.PRICE_DATA,
    type: 'price',
    sender: undefined,
    key: price.symbol,
    payloadAt: (nowMs): Payload =>
      ({ ...price, timestamp: moved(price.timestamp, at, nowMs) }) satisfies Price,
  };
}

/** Never below 0, which is no time. */
function moved(timestamp: number, recordedAt: number, nowMs: number): number {
  return Math.max(0, Math.round(timestamp - recordedAt * 1_000 + nowMs));
}
