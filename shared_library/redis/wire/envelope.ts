// The wire format: a message is one JSON document with four standard fields, within limits.

import { MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_NAME_LENGTH } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { printable } from '../runtime/printable.ts';
import { findDocumentEnd, isTooDeepToParse } from './document-scan.ts';
import { documentProblem, joinPath, payloadProblem } from './json-check.ts';

/** A message on the wire. Four fields are required. Tickbus adds the optional ones. */
export interface Envelope {
  /** 1 to 128 characters (UTF-16 units). */
  readonly message_type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Time of the publish call, Unix milliseconds by the publisher's clock. */
  readonly timestamp: number;
  /** At most 128 characters (UTF-16 units). Any text: escape it before you show it. */
  readonly sender: string;
  /** Sequence number in the channel. Increases by one with each message of an epoch. */
  readonly seq?: number;
  /** Increases when the server lost data or the channel got a new lease holder. */
  readonly epoch?: number;
  /**
   * Server time of the publication, Unix milliseconds. An exclusive writer estimates it slightly early; it is late only
   * if the server's clock is set back.
   */
  readonly at?: number;
  /** True for a stored last value that a plain client has published; see `adopt` of `defineChannel`. */
  readonly adopted?: true;
  /** Id of a command, at most 128 characters (UTF-16 units). By default a UUIDv7. */
  readonly id?: string;
  /**
   * Time at which a command expires, Unix milliseconds by the publisher's clock. The lifetime of the command is
   * `expires_at - timestamp`.
   */
  readonly expires_at?: number;
}

/** `[`, the first byte of a batch: no single message begins with it. */
export const BATCH_START = 0x5b;

/** The depth of larger messages is checked before parsing. Smaller ones are parsed in well under 10 ms at any depth. */
const LARGE_BYTES = 16 * 1024;
/** The reason for a message that is nested too deeply to be parsed. */
export const TOO_DEEP = `is nested deeper than ${MAX_DEPTH} levels`;

/** Maximum number of bytes that `seq`, `epoch` and `at` add to a message. */
const POSITION_BYTES = 96;

/**
 * The JSON of an envelope.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` with the path in `field` if a limit is exceeded or a value has no
 * faithful JSON form (NaN, Infinity, a bigint, a Map, a cycle, ...)
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
 * Like `encodeEnvelope`, without checking the payload. `JSON.stringify` decides about values that JSON cannot
 * represent: NaN becomes null, a Map becomes {}, a function is left out.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` for an invalid header, a message over the size limit, or a payload
 * that has no JSON form (a cycle, a bigint)
 */
export function encodeTrusted(envelope: Envelope): string {
  checkHeader(envelope);
  return checkedSize(tryToJson(() => serialize(envelope)));
}

/** Equals `JSON.stringify(envelope)` in four fifths of its time, because the type and sender are cached. */
function serialize(envelope: Envelope): string {
  const { message_type: type, data, timestamp, sender } = envelope;
  const payload: string | undefined = JSON.stringify(data);
  if (!payload?.startsWith('{')) throw invalidMessage('must be an object after JSON encoding', 'data');
  let text = `{"message_type":${quote(type)},"data":${payload},"timestamp":${timestamp},"sender":${quote(sender)}`;
  for (const name of OPTIONAL_FIELDS) {
    const value = envelope[name];
    if (value !== undefined) text += `,"${name}":${JSON.stringify(value)}`;
  }
  return `${text}}`;
}

const OPTIONAL_FIELDS = ['seq', 'epoch', 'at', 'id', 'expires_at'] as const;
const MAX_CACHED_QUOTES = 1_000;
/** The JSON of message types and senders, because few distinct ones occur. */
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

/** Converts every exception, because a getter or a proxy in a payload can throw anything. */
function tryToJson(write: () => string): string {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof TickbusError) throw cause;
    const text =
      'The payload cannot be encoded as JSON: a getter threw, or it contains a cycle or a bigint. See `cause`.';
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', text, { cause, field: 'data' });
  }
}

/**
 * Decodes one message.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is a valid envelope within the limits
 */
export function decodeEnvelope(frame: Uint8Array): Envelope {
  if (frame.byteLength > MAX_MESSAGE_BYTES)
    throw invalidMessage(`has ${frame.byteLength} bytes; the limit is ${MAX_MESSAGE_BYTES}`);
  if (frame.byteLength > LARGE_BYTES) {
    findDocumentEnd(frame, 0);
    if (isTooDeepToParse()) throw invalidMessage(TOO_DEEP);
  }
  return checkedEnvelope(parse(decodeUtf8(frame)));
}

/**
 * A parsed document as an envelope. Does not check its size.
 *
 * @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is a valid envelope within the other limits
 */
export function checkedEnvelope(document: unknown): Envelope {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalidMessage('is JSON, but not an object');
  }
  const problem = documentProblem(document);
  if (problem !== undefined) throw invalidMessage(problem.reason, problem.path);
  return checkedHeader(document);
}

/**
 * A parsed object as an envelope, if its depth, names and numbers are known to be valid.
 * @throws like `checkedEnvelope`
 */
export function checkedHeader(document: unknown): Envelope {
  const envelope = document as Envelope;
  checkHeader(envelope);
  return envelope;
}

/** The error for an invalid message. Without `field` it refers to the whole message. */
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

/** @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is valid UTF-8 */
export function decodeUtf8(frame: Uint8Array): string {
  try {
    return strictUtf8.decode(frame);
  } catch (cause) {
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', 'The message is not valid UTF-8.', { cause });
  }
}

/** @throws TickbusError `TICKBUS_INVALID_MESSAGE` unless it is valid JSON */
export function parse(text: string): unknown {
  if (text.length === 0) throw invalidMessage('is empty');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TickbusError('TICKBUS_INVALID_MESSAGE', 'The message is not valid JSON.', { cause });
  }
}

/**
 * The size in bytes, exact only near the limit. Far below or above it, the number of UTF-16 units is enough: a unit
 * takes one to three bytes.
 */
function utf8Length(text: string): number {
  if (text.length > MAX_MESSAGE_BYTES) return text.length;
  return text.length * 3 + POSITION_BYTES <= MAX_MESSAGE_BYTES ? text.length : utf8.encode(text).byteLength;
}

function checkHeader(envelope: Envelope): void {
  const { message_type, data, timestamp, sender, seq, epoch, at, id, expires_at } = envelope;
  checkName(message_type, 'message_type');
  if (message_type === '') throw invalidMessage('must be a non-empty string', 'message_type');
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw invalidMessage('must be an object', 'data');
  if (!Number.isFinite(timestamp))
    throw invalidMessage('must be a finite number of Unix milliseconds', 'timestamp');
  checkName(sender, 'sender');
  if (id !== undefined) checkName(id, 'id');
  checkCount(seq, 'seq');
  checkCount(epoch, 'epoch');
  checkCount(at, 'at');
  checkCount(expires_at, 'expires_at');
  if ((seq === undefined) !== (epoch === undefined)) {
    throw invalidMessage(
      'is missing: "seq" and "epoch" must appear together',
      seq === undefined ? 'seq' : 'epoch',
    );
  }
}

function checkName(value: unknown, field: string): void {
  if (typeof value !== 'string') throw invalidMessage('must be a string', field);
  if (value.length > MAX_NAME_LENGTH)
    throw invalidMessage(`has ${value.length} characters; the limit is ${MAX_NAME_LENGTH}`, field);
}

function checkCount(value: number | undefined, field: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
    throw invalidMessage('must be a whole number, 0 or above', field);
  }
}
