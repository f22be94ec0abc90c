// A valid envelope, and expectations on encoding and decoding variants of it.

import { expect } from 'vitest';
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../wire/envelope.ts';
import { errorWith, frameOf } from '../channels.fixture.ts';

export const utf8 = new TextEncoder();

export const envelope: Envelope = {
  message_type: 'price',
  data: { symbol: 'AAPL', price: 50_000 },
  timestamp: 1_650_123_456_000,
  sender: 'gateway',
};
/** Matches TICKBUS_INVALID_MESSAGE with this field. */
export const invalidMessage = (field?: string) => errorWith('TICKBUS_INVALID_MESSAGE', { field });
/** Starts an expectation on encoding the envelope with this payload and these changed fields. */
export const encoding = (data: unknown, change: object = {}) =>
  expect(() => encodeEnvelope({ ...envelope, ...change, data } as Envelope));
/** Starts an expectation on decoding the document. */
export const decoding = (document: unknown) => expect(() => decodeEnvelope(frameOf(document)));
