// The prefix of a last value that a plain client has published: the fields before those of the envelope. Only this file
// defines its format.

import { type Envelope, encodeEnvelope } from './envelope.ts';

const AT = '{"adopted":true,"at":';
const TIMESTAMP = ',"timestamp":';

/** A message of a plain client, without its time of adoption. */
export interface AdoptableText {
  /** The publisher's own time, as in the envelope. */
  readonly timestamp: number;
  /** The text from the timestamp on. Two adopters write the same for the same message. */
  readonly tail: string;
}

/**
 * Keeps the four standard fields of the envelope, and nothing else that the client wrote.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` if a limit is exceeded
 */
export function adoptableText({ message_type, data, timestamp, sender }: Envelope): AdoptableText {
  encodeEnvelope({ message_type, data, timestamp, sender });
  const rest = JSON.stringify({ message_type, data, sender });
  return { timestamp, tail: `${TIMESTAMP}${timestamp},${rest.slice(1)}` };
}

/** @param at when the message was heard, Unix milliseconds by the server's clock */
export function adoptedText(at: number, { tail }: AdoptableText): string {
  return `${AT}${Math.floor(at)}${tail}`;
}

/** Lua functions `adopted(at, tail)`, with `at` as text, and `adoption_of(text)`: `at`, timestamp and tail, or nil. */
export const LUA_ADOPTED = `
local function adopted(at, tail) return '${AT}' .. at .. tail end
local function adoption_of(text)
  local at, tail = string.match(text, '^${AT}(%d+)(${TIMESTAMP}.*)$')
  if at then return tonumber(at), tonumber(string.match(tail, '^${TIMESTAMP}([^,]+),')), tail end
end
`;
