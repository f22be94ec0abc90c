// Messages as they are on the wire, valid or not: the command-line tool shows every message on a channel.

import type { Envelope } from 'tickbus';
import { printable } from 'tickbus/admin';

export interface WireMessage {
  readonly channel: string;
  readonly frame: Uint8Array;
  /** undefined if the frame is not a tickbus message. */
  readonly envelope: Envelope | undefined;
  /** Whether the message was read from the stored last values or the history. */
  readonly isStored: boolean;
}

/** Returns the tickbus messages in one Redis message: a single message, or those of a batch (a JSON array). */
export function readFrames(channel: string, frame: Uint8Array): WireMessage[] {
  return framesOf(frame).map((one) => readFrame(channel, one));
}

/** Splits a batch into one frame per message. */
export function framesOf(frame: Uint8Array): Uint8Array[] {
  const document = frame[0] === BATCH_START ? parsed(frame) : undefined;
  if (!Array.isArray(document) || !document.some((one) => envelopeOf(one) !== undefined)) return [frame];
  const texts = document.map(jsonOf);
  return texts.includes(undefined) ? [frame] : texts.map((text = '') => Buffer.from(text));
}

export function readFrame(channel: string, frame: Uint8Array, isStored = false): WireMessage {
  return { channel, frame, envelope: envelopeOf(parsed(frame)), isStored };
}

const BATCH_START = '['.charCodeAt(0);
const utf8 = new TextDecoder();

/** undefined for invalid JSON. */
function parsed(frame: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(frame));
  } catch {
    return undefined;
  }
}

/** Checks only the four standard fields; subscribers check limits and schemas. */
export function envelopeOf(document: unknown): Envelope | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const { message_type, data, timestamp, sender } = document as Partial<Envelope>;
  const isEnvelope =
    typeof message_type === 'string' &&
    typeof data === 'object' &&
    data !== null &&
    typeof timestamp === 'number' &&
    typeof sender === 'string';
  return isEnvelope ? (document as Envelope) : undefined;
}

/** One line of JSON: the envelope with its channel, or `raw` text for other frames. */
export function jsonLine({ channel, envelope, frame, isStored }: WireMessage): string {
  const stored = isStored ? { snapshot: true } : {};
  const raw = () => JSON.stringify({ channel, ...stored, raw: utf8.decode(frame) });
  if (envelope === undefined) return raw();
  return jsonOf({ channel, ...stored, ...envelope }) ?? raw();
}

/** undefined for deeply nested values: JSON.stringify throws where JSON.parse does not. */
export function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

export interface Painter {
  paint(style: 'bold' | 'dim' | 'red' | 'cyan', text: string): string;
}

/** One readable line with all control characters escaped. */
export function prettyLine({ channel, envelope, frame, isStored }: WireMessage, painter: Painter): string {
  const where = painter.paint('cyan', printable(channel));
  if (envelope === undefined)
    return `${where} ${painter.paint('red', 'not a tickbus message:')} ${printable(utf8.decode(frame), 1_000)}`;
  const { message_type, data, sender, seq, at, timestamp } = envelope;
  const time = painter.paint('dim', `${clockTime(at ?? timestamp)}${isStored ? ' stored' : ''}`);
  const fields = Object.entries(data).map(
    ([field, value]) => `${painter.paint('dim', `${printable(field)}=`)}${printable(fieldText(value), 500)}`,
  );
  const origin = painter.paint('dim', `(${printable(sender)}${seq === undefined ? '' : ` #${seq}`})`);
  return `${time} ${where} ${painter.paint('bold', printable(message_type))} ${fields.join(' ')} ${origin}`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : (jsonOf(value) ?? '(nested too deeply)');
}

/** Local time with milliseconds. */
function clockTime(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return '--:--:--.---';
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
