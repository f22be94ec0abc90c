// The last values of a channel that plain clients have published: which of them each receiver lacks.

import type { Channel } from '../channel/channel.ts';
import type { Envelope } from '../wire/envelope.ts';
import { keyOfPayload } from '../wire/payload-schema.ts';
import type { Receiver } from './fan-out.ts';

/** The newest message of this many keys is remembered. */
const MAX_KEYS = 10_000;

/**
 * Messages of plain clients have no number, so a receiver has what was heard since it was added. With partitions, such
 * a message arrives on the channel itself, and is stored with its partition: one object serves all parts of a channel.
 */
export class AdoptedValues {
  readonly #channel: Channel;
  #count = 0;
  /** By key: the timestamp of the newest message, and the count when it was heard. */
  readonly #heard = new Map<string, { readonly timestamp: number; readonly count: number }>();
  /** The count when the receiver was added. */
  readonly #since = new WeakMap<Receiver, number>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  add(receiver: Receiver): void {
    if (!this.#since.has(receiver)) this.#since.set(receiver, ++this.#count);
  }

  /** A point in time: a receiver that was added later does not have what is heard `at` it. */
  now(): number {
    return ++this.#count;
  }

  /**
   * Records a message without a number, or an adopted value that is delivered.
   *
   * @param at a result of `now`
   */
  hear(message: Envelope, at = this.now()): void {
    const key = this.#keyOf(message);
    if (key === undefined) return;
    this.#heard.delete(key);
    this.#heard.set(key, { timestamp: message.timestamp, count: at });
    const [oldest] = this.#heard.size > MAX_KEYS ? this.#heard.keys() : [];
    if (oldest !== undefined) this.#heard.delete(oldest);
  }

  /** Whether the receiver has had neither this value nor a newer one of its key. */
  lacks(receiver: Receiver, value: Envelope): boolean {
    const key = this.#keyOf(value);
    const heard = key === undefined ? undefined : this.#heard.get(key);
    const has = heard !== undefined && heard.count > (this.#since.get(receiver) ?? 0);
    return !has || heard.timestamp < value.timestamp;
  }

  /** Undefined for an invalid message. */
  #keyOf({ message_type, data }: Envelope): string | undefined {
    try {
      return keyOfPayload(this.#channel, message_type, data);
    } catch {
      return undefined;
    }
  }
}
