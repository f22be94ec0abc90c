// What a careful bot does with a message of a plain client: parse it, check the envelope, validate the payload.

import { CHANNELS } from 'tickbus/constants';
import { book } from './book.ts';
import type { ChannelName, PeerPayload } from './peers/peer.ts';

/** The schemas that tickbus itself validates with, in the same way. */
const SCHEMAS = { price: CHANNELS.PRICE_DATA.messages.price, book } as const;

/** @throws Error when it is no valid message of the channel */
export function readText(channel: ChannelName, text: string): PeerPayload {
  return checked(channel, JSON.parse(text));
}

/** For peers that parse by themselves. @throws Error when it is no valid message of the channel */
export function checked(channel: ChannelName, message: unknown): PeerPayload {
  const { message_type, data, timestamp, sender } = message as Record<string, unknown>;
  if (message_type !== channel || !Number.isFinite(timestamp) || typeof sender !== 'string')
    throw new Error(`This is no "${channel}" message: ${JSON.stringify(message).slice(0, 200)}`);
  const result = SCHEMAS[channel]['~standard'].validate(data);
  if ('value' in result && result.issues === undefined) return result.value as PeerPayload;
  throw new Error(`This "${channel}" message is not valid: ${JSON.stringify(message).slice(0, 200)}`);
}
