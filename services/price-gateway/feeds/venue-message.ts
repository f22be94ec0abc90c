// The messages of a mapping to its venue: their text, their secrets, and the limit of those that answer frames.

import { types } from 'node:util';
import { secretsIn } from '../recorder/mask.ts';
import { BROKER_LIMITS } from './broker-socket.ts';

/**
 * The text of a message: an object as JSON, a string unchanged.
 *
 * @throws TypeError that contains nothing of the message, because it can contain a secret
 */
export function encodeMessage(message: unknown): string {
  if (typeof message === 'string') return message;
  if (
    typeof message !== 'object' ||
    message === null ||
    types.isPromise(message) ||
    ArrayBuffer.isView(message)
  )
    throw new TypeError(`message must be an object to send as JSON, or a string, but was ${typeOf(message)}`);
  try {
    const json: string | undefined = JSON.stringify(message);
    if (json !== undefined) return json;
  } catch {
    // Reported below, because the error of a `toJSON` can quote the message.
  }
  throw new TypeError('message must be an object that JSON can express: no cycle, no bigint');
}

function typeOf(message: unknown): string {
  if (types.isPromise(message)) return 'a promise';
  if (ArrayBuffer.isView(message)) return 'bytes';
  return message === null ? 'null' : message === undefined ? 'undefined' : `a ${typeof message}`;
}

/** The content of a sent message for the recorder, which takes JSON only. */
export function rawJsonOf(content: string): string {
  return parsed(content) === undefined ? JSON.stringify(content) : content;
}

/** The secrets in a sent message. In a text that is not JSON, no part is known to be secret. */
export function secretsOfMessage(content: string): readonly string[] {
  return secretsIn(parsed(content));
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/**
 * Limits the messages that a mapping sends in answer to frames. Without a limit, a venue that floods the gateway with
 * pings, or two sides that answer each other, would make the gateway flood the venue.
 */
export class AnswerLimit {
  #windowStart = Number.NEGATIVE_INFINITY;
  #messages = 0;
  #bytes = 0;

  /** Counts a message. False if it exceeds the limit. */
  permits(content: string): boolean {
    const now = performance.now();
    if (now - this.#windowStart >= ANSWER_LIMITS.windowMs) {
      this.#windowStart = now;
      this.#messages = 0;
      this.#bytes = 0;
    }
    this.#messages++;
    this.#bytes += content.length;
    return this.#messages <= ANSWER_LIMITS.messages && this.#bytes <= ANSWER_LIMITS.characters;
  }
}

/** A venue pings once in some seconds; a resubscription of all instruments takes some tens of messages. */
export const ANSWER_LIMITS = {
  messages: 100,
  characters: BROKER_LIMITS.maxMessageBytes,
  windowMs: 10_000,
} as const;
