// Channels, payloads, envelopes and error matchers for the tests of the library.

import { expect } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../channel/channel.ts';
import type { Price } from '../channel/schemas/price-data.ts';
import type { ErrorCode } from '../errors.ts';
import type { Receipt } from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import type { Position } from '../wire/position.ts';

const utf8 = new TextEncoder();

const tick = z.object({ symbol: z.string(), price: z.number() });
const note = z.object({ n: z.number() });

/** Kind `state`, keyed by symbol. */
export const PRICES = defineChannel('PRICES', { kind: 'state', key: 'symbol', messages: { tick } });
/** Kind `event`, with a history of ten. */
export const FILLS = defineChannel('FILLS', { kind: 'event', history: 10, messages: { note } });
/** Kind `event`, without history, with two message types. */
export const ALERTS = defineChannel('ALERTS', {
  kind: 'event',
  messages: { note, alarm: z.object({ n: z.number(), level: z.string() }) },
});
export const COMMANDS = defineChannel('COMMANDS', {
  kind: 'command',
  expiresInMs: 1_000,
  messages: { note },
});
/** Kind `state`, fed by a gateway, so that subscriptions declare their keys. */
export const GATEWAY_PRICES = defineChannel('GATEWAY_PRICES', {
  kind: 'state',
  key: 'symbol',
  gateway: true,
  messages: { tick: z.object({ symbol: z.string() }) },
});
/** Kind `plain`. */
export const CHAT = defineChannel('CHAT', { kind: 'plain', messages: { note } });

/** The JSON of a document as bytes on the wire. */
export function frameOf(document: unknown): Uint8Array {
  return utf8.encode(JSON.stringify(document));
}

/** The envelope of a `note`, with or without a position. */
export function noteEnvelope(n: number, position?: Position): Envelope {
  return { ...position, message_type: 'note', data: { n }, timestamp: 1, sender: 'test' };
}

/** A payload of PRICE_DATA. */
export const pricePayload = (fields: Partial<Price> = {}): Price => ({
  symbol: 'A',
  price: 1,
  timestamp: 1,
  ...fields,
});

/** The receipt of a batch that starts at `seq` of epoch 1. */
export const receiptAt = (seq: number, receivers = 0): Receipt => ({ first: { epoch: 1, seq }, receivers });

/** Matches a TickbusError with this code and these fields. */
export const errorWith = (code: ErrorCode, fields: { field?: string | undefined; message?: unknown } = {}) =>
  expect.objectContaining({ code, ...fields });
