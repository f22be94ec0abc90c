// A message as it stands on the wire, valid or not: nothing that is sent on a channel is hidden from whoever looks.

import type { Envelope } from 'tickbus';
import { printable } from 'tickbus/admin';

export interface WireMessage {
  readonly channel: string;
  readonly frame: Uint8Array;
  /** undefined for what is no message of tickbus. */
  readonly envelope: Envelope | undefined;
  /** A value that the server had kept. */
  readonly isKept: boolean;
}

/** What one message of Redis carries: one message, or a batch of them, which is an array of JSON objects. */
export function readFrames(channel: string, frame: Uint8Array): WireMessage[] {
  return framesOf(frame).map((one) => readFrame(channel, one));
}

/** One frame for each message. */
export function framesOf(frame: Uint8Array): Uint8Array[] {
  const document = frame[0] === BATCH_START ? parsed(frame) : undefined;
  if (!Array.isArray(document) || !document.some((one) => envelopeOf(one) !== undefined)) return [frame];
  const texts = document.map(jsonOf);
  return texts.includes(undefined) ? [frame] : texts.map((text = '') => Buffer.from(text));
}

export function readFrame(channel: string, frame: Uint8Array, isKept = false): WireMessage {
  return { channel, frame, envelope: envelopeOf(parsed(frame)), isKept };
}

const BATCH_START = '['.charCodeAt(0);
const utf8 = new TextDecoder();

/** undefined for what is no JSON. */
function parsed(frame: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(frame));
  } catch {
    return undefined;
  }
}

/** By its four standard fields. Limits and schemas are the subscribers' business. */
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

/** One line of JSON: the envelope with the channel, or the text of what is none. */
export function jsonLine({ channel, envelope, frame, isKept }: WireMessage): string {
  const kept = isKept ? { snapshot: true } : {};
  const raw = () => JSON.stringify({ channel, ...kept, raw: utf8.decode(frame) });
  if (envelope === undefined) return raw();
  return jsonOf({ channel, ...kept, ...envelope }) ?? raw();
}

/** undefined for what is nested too deeply: unlike parsing, writing JSON has an end there. */
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

/** One line for people; no control character of a message reaches the terminal. */
export function prettyLine({ channel, envelope, frame, isKept }: WireMessage, painter: Painter): string {
  const where = painter.paint('cyan', printable(channel));
  if (envelope === undefined)
    return `${where} ${painter.paint('red', 'not a message of tickbus:')} ${printable(utf8.decode(frame), 1_000)}`;
  const { message_type, data, sender, seq, at, timestamp } = envelope;
  const time = painter.paint('dim', `${clockTime(at ?? timestamp)}${isKept ? ' kept' : ''}`);
  const fields = Object.entries(data).map(
    ([field, value]) => `${painter.paint('dim', `${printable(field)}=`)}${printable(fieldText(value), 500)}`,
  );
  const origin = painter.paint('dim', `(${printable(sender)}${seq === undefined ? '' : ` #${seq}`})`);
  return `${time} ${where} ${painter.paint('bold', printable(message_type))} ${fields.join(' ')} ${origin}`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : (jsonOf(value) ?? '(nested too deeply)');
}

/** By the clock on the wall here, with milliseconds. */
function clockTime(unixMs: number): string {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return '--:--:--.---';
  const two = (value: number) => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
