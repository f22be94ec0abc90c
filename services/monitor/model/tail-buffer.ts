// Buffers the tail of one browser: messages that match its filter, at most as many as a person can read.

import type { Channel, Message } from 'tickbus';
import { printable } from 'tickbus/admin';
import type { TailBatch, TailMessage } from '../api-protocol.ts';
import { rowName } from './row-text.ts';

/** Every given condition must match. Matching ignores case. */
export interface TailFilter {
  readonly channel?: string;
  readonly type?: string;
  readonly sender?: string;
  /** The message's key: the symbol of a price, the bot of a status or a command. */
  readonly key?: string;
  /** Substring of the payload's JSON. */
  readonly text?: string;
}

/** Maximum messages per batch. If there are more, the newest are kept. */
const MAX_BATCH = 40;
/** Longer payloads are truncated. */
const MAX_DATA_LENGTH = 2_000;

/** Longer conditions are truncated. */
const MAX_CONDITION_LENGTH = 200;

/** A message for all tails. It is serialized at most once, however many tails search its payload. */
export class TailedMessage {
  readonly channel: Channel;
  readonly message: Message;
  readonly at: number;
  #json: string | undefined;
  #searched: string | undefined;

  constructor(channel: Channel, message: Message, at: number) {
    this.channel = channel;
    this.message = message;
    this.at = at;
  }

  /** The payload as JSON. */
  get json(): string {
    this.#json ??= JSON.stringify(this.message.data);
    return this.#json;
  }

  /** The payload as JSON in lower case. */
  get searched(): string {
    this.#searched ??= this.json.toLowerCase();
    return this.#searched;
  }
}

export class TailBuffer {
  readonly #filter: TailFilter;
  /** While true, messages are only counted as skipped, so that they use no memory for a browser that does not read. */
  isSuspended = false;
  #buffered: TailedMessage[] = [];
  #skipped = 0;
  #next = 1;

  constructor(filter: TailFilter) {
    this.#filter = toLowerCase(filter);
  }

  add(message: TailedMessage): void {
    if (!this.#matches(message)) return;
    if (this.isSuspended) {
      this.#skipped++;
      return;
    }
    // Trims at twice the batch size, so that a burst does not trim once per message.
    if (this.#buffered.length >= 2 * MAX_BATCH) this.#dropOldest();
    this.#buffered.push(message);
  }

  /** Returns the messages since the previous call; undefined if there are none. */
  takeBatch(): TailBatch | undefined {
    this.#dropOldest();
    if (this.#buffered.length === 0) return undefined;
    const messages = this.#buffered.map((buffered) => this.#row(buffered));
    const skipped = this.#skipped;
    this.#buffered = [];
    this.#skipped = 0;
    return { messages, skipped };
  }

  #dropOldest(): void {
    const surplus = this.#buffered.length - MAX_BATCH;
    if (surplus <= 0) return;
    this.#buffered.splice(0, surplus);
    this.#skipped += surplus;
  }

  #matches(tailed: TailedMessage): boolean {
    const { channel, message } = tailed;
    const { channel: name, type, sender, key, text } = this.#filter;
    if (name !== undefined && channel.name.toLowerCase() !== name) return false;
    if (type !== undefined && !contains(message.message_type, type)) return false;
    if (sender !== undefined && !contains(message.sender, sender)) return false;
    if (key !== undefined && !contains(keyOf(channel, message) ?? '', key)) return false;
    return text === undefined || tailed.searched.includes(text);
  }

  #row({ channel, message, at, json }: TailedMessage): TailMessage {
    const { message_type: type, sender, seq, snapshot } = message;
    return {
      n: this.#next++,
      at: Math.round(at),
      channel: rowName(channel.name),
      type: rowName(type),
      sender: rowName(sender),
      ...(seq !== undefined && { seq }),
      ...(snapshot && { snapshot }),
      data: printable(json, MAX_DATA_LENGTH),
    };
  }
}

function keyOf(channel: Channel, { data }: Message): string | undefined {
  return channel.keyOf(data as Record<string, unknown>);
}

function contains(text: string, lowerCase: string): boolean {
  return text.toLowerCase().includes(lowerCase);
}

function toLowerCase(filter: TailFilter): TailFilter {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(
    given.map(([field, value]) => [field, String(value).slice(0, MAX_CONDITION_LENGTH).toLowerCase()]),
  );
}
