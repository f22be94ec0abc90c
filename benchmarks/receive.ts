// Receives a message of a plain client as a careful bot does: parses it, checks the envelope, validates the payload.

import { CHANNELS } from 'tickbus/constants';
import { book } from './book.ts';
import type { ChannelName, PeerPayload } from './peers/peer.ts';

/** The schemas that tickbus validates with. */
const SCHEMAS = { price: CHANNELS.PRICE_DATA.messages.price, book } as const;

/** @throws Error for an invalid message of the channel */
export function readText(channel: ChannelName, text: string): PeerPayload {
  return checked(channel, JSON.parse(text));
}

/** For peers that parse messages themselves. @throws Error for an invalid message of the channel */
export function checked(channel: ChannelName, message: unknown): PeerPayload {
  const { message_type, data, timestamp, sender } = message as Record<string, unknown>;
  if (message_type !== channel || !Number.isFinite(timestamp) || typeof sender !== 'string')
    throw new Error(`Invalid envelope on "${channel}": ${JSON.stringify(message).slice(0, 200)}`);
  const result = SCHEMAS[channel]['~standard'].validate(data);
  if ('value' in result && result.issues === undefined) return result.value as PeerPayload;
  throw new Error(`Invalid payload on "${channel}": ${JSON.stringify(message).slice(0, 200)}`);
}
