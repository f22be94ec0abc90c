// The wire format: one JSON document a message, its four standard fields, its limits in both directions.

import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { documentProblem, joinPath, payloadProblem } from './json-check.ts';

/** The document on the wire. Four fields always; the others are added by tickbus and may be missing. */
export interface Envelope {
  readonly message_type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Unix milliseconds, by the publisher's clock. */
  readonly timestamp: number;
  readonly sender: string;
  /** Position in the channel: counts up by one a message within an epoch. */
  readonly seq?: number;
  /** Changes when the server lost its memory or the channel's gateway changed; grows. */
  readonly epoch?: number;
  /** Redis time of the publication, Unix milliseconds; from an exclusive writer early by as long as its batch was under way, never late. */
  readonly at?: number;
  /** UUIDv7 of a command. */
  readonly id?: string;
  /** Unix milliseconds, by the publisher's clock, after which a command must not be acted upon; `timestamp` says how long that is. */
  readonly expires_at?: number;
}

/** `[`: nothing but a JSON array begins with it. */
export const BATCH_START = 0x5b;

/** What the server adds to a message (`seq`, `epoch`, `at`) at the most. */
const POSITION_BYTES = 96;

/**
 * The JSON of an envelope.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE`, whose `field` names the place, when a limit is broken or a value has no
 * faithful JSON form (NaN, Infinity, a bigint, a Map, a cycle, ...).
 */
export function encodeEnvelope(envelope: Envelope): string {
  checkHeader(envelope);
  const json = tryToJson(() => {
    const problem = payloadProblem(envelope.data);
    if (problem !== undefined) throw invalidMessage(problem.reason, joinPath('data', problem.path));
    return serialize(envelope);
  });
  return checkedSize(json);
}

/**
 * As `encodeEnvelope`, without looking into the payload. What JSON cannot carry is sent as `JSON.stringify` has it: NaN as null, a Map
 * as {}, a function not at all.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for a broken header, a message over the size limit, or a payload without JSON (a cycle, a bigint)
 */
export function encodeTrusted(envelope: Envelope): string {
  checkHeader(envelope);
  return checkedSize(tryToJson(() => serialize(envelope)));
}

/** As `JSON.stringify(envelope)`, in four fifths of its time: only the payload is new in every message. */
function serialize(envelope: Envelope): string {
  const { message_type, data, timestamp, sender } = envelope;
  const payload: string | undefined = JSON.stringify(data);
  if (!payload?.startsWith('{')) throw invalidMessage('must be an object in JSON', 'data');
  let text = `{"message_type":${quote(message_type)},"data":${payload},"timestamp":${timestamp},"sender":${quote(sender)}`;
  for (const name of OPTIONAL_FIELDS) {
    const value = envelope[name];
    if (value !== undefined) text += `,"${name}":${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

const OPTIONAL_FIELDS = ['seq', 'epoch', 'at', 'id', 'expires_at'] as const;
const MAX_CACHED_QUOTES = 1_000;
/** Types and senders are few, and the same in every message. */
const quoteCache = new Map<string, string>();

function quote(text: string): string {
  const known = quoteCache.get(text);
  if (known !== undefined) return known;
  const json = JSON.stringify(text);
  if (quoteCache.size >= MAX_CACHED_QUOTES) quoteCache.clear();
  quoteCache.set(text, json);
  return json;
}

function checkedSize(json: string): string {
  const bytes = utf8Length(json) + POSITION_BYTES;
  if (bytes <= MAX_MESSAGE_BYTES) return json;
  throw invalidMessage(`makes a message of ${bytes} bytes; the limit is ${MAX_MESSAGE_BYTES}`, 'data');
}

/** A getter or a proxy in a payload can throw anything. */
function tryToJson(write: () => string): string {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof TickbusError) throw cause;
    const text =
      'The payload has no JSON: a getter in it threw, or it holds a cycle or a bigint. See `cause`.';
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', text, { cause, field: 'data' });
  }
}

/**
 * Reads one message as it stands on the wire.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits.
 */
export function decodeEnvelope(frame: Uint8Array): Envelope {
  return checkedEnvelope(parse(textOf(frame)));
}

/** The text of a message. @throws as `decodeEnvelope` */
export function textOf(frame: Uint8Array): string {
  if (frame.byteLength > MAX_MESSAGE_BYTES) {
    throw invalidMessage(`has ${frame.byteLength} bytes; the limit is ${MAX_MESSAGE_BYTES}`);
  }
  return decodeUtf8(frame);
}

/**
 * The documents of a batch, a frame that begins with `BATCH_START`, for `checkedEnvelope`.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for an array that is no batch: empty, too large, not of objects, or no JSON.
 */
export function decodeBatch(frame: Uint8Array): readonly unknown[] {
  if (frame.byteLength > MAX_FRAME_BYTES) {
    throw invalidMessage(`is a batch of ${frame.byteLength} bytes; the limit is ${MAX_FRAME_BYTES}`);
  }
  const documents = parse(decodeUtf8(frame)) as readonly unknown[];
  if (documents.length === 0) throw invalidMessage('is an empty array');
  if (
    documents.some((document) => typeof document !== 'object' || document === null || Array.isArray(document))
  )
    throw invalidMessage('is an array, but not one of objects');
  return documents;
}

/** Whether one document of a batch keeps the limit of a message. In a frame within that limit each of them does. */
export function isWithinLimit(frame: Uint8Array, document: unknown): boolean {
  if (frame.byteLength <= MAX_MESSAGE_BYTES) return true;
  return utf8.encode(JSON.stringify(document)).byteLength <= MAX_MESSAGE_BYTES;
}

/**
 * The envelope that a parsed document is.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for anything that is not a valid envelope within the limits but for its size.
 */
export function checkedEnvelope(document: unknown): Envelope {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalidMessage('is JSON, but not an object');
  }
  const problem = documentProblem(document);
  if (problem !== undefined) throw invalidMessage(problem.reason, problem.path);
  return checkedHeader(document);
}

/** The envelope that a parsed object is whose depth, names and numbers are allowed, as is known. @throws as `checkedEnvelope` */
export function checkedHeader(document: unknown): Envelope {
  const envelope = document as Envelope;
  checkHeader(envelope);
  return envelope;
}

/** The error for a message that must not be sent or cannot be delivered; `field` undefined stands for the whole message. */
export function invalidMessage(reason: string, field?: string): TickbusError {
  const text = field === undefined ? `The message ${reason}.` : `The field "${printable(field)}" ${reason}.`;
  return new TickbusError(
    'TICKBUS_INVALID_MESSAGE',
    text,
    field === undefined ? {} : { field: printable(field) },
  );
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

function decodeUtf8(frame: Uint8Array): string {
  try {
    return strictUtf8.decode(frame);
  } catch (cause) {
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', 'The message is not valid UTF-8.', { cause });
  }
}

function parse(text: string): unknown {
  if (text.length === 0) throw invalidMessage('is empty');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', 'The message is not valid JSON.', { cause });
  }
}

/** Never more than three bytes a UTF-16 unit, so most messages need no exact count. */
function utf8Length(text: string): number {
  // Never fewer bytes than units: what is too long anyway is not encoded to be counted.
  if (text.length > MAX_MESSAGE_BYTES) return text.length;
  return text.length * 3 + POSITION_BYTES <= MAX_MESSAGE_BYTES ? text.length : utf8.encode(text).byteLength;
}

function checkHeader(envelope: Envelope): void {
  const { message_type, data, timestamp, sender, seq, epoch, at, id, expires_at } = envelope;
  if (typeof message_type !== 'string' || message_type === '') {
    throw invalidMessage('must be a non-empty string', 'message_type');
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw invalidMessage('must be an object', 'data');
  if (!Number.isFinite(timestamp)) throw invalidMessage('must be a number of Unix milliseconds', 'timestamp');
  if (typeof sender !== 'string') throw invalidMessage('must be a string', 'sender');
  if (id !== undefined && typeof id !== 'string') throw invalidMessage('must be a string', 'id');
  checkCount(seq, 'seq');
  checkCount(epoch, 'epoch');
  checkCount(at, 'at');
  checkCount(expires_at, 'expires_at');
  if ((seq === undefined) !== (epoch === undefined)) {
    throw invalidMessage(
      'must come together with the other of "seq" and "epoch"',
      seq === undefined ? 'seq' : 'epoch',
    );
  }
}

function checkCount(value: number | undefined, field: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
    throw invalidMessage('must be a whole number, 0 or above', field);
  }
}
