// Between the wire and the subscriptions of one channel: decode, filter, validate once, deliver; what is invalid is counted and told.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import { decodeEnvelope, type Envelope, invalidMessage } from '../wire/envelope.ts';
import { type DecodedBatch, FrameDecoder } from '../wire/frame-decoder.ts';
import type { Message } from '../wire/message.ts';
import { keyOfPayload, schemaOf, validatePayload } from '../wire/payload-schema.ts';
import { RecentIds } from './recent-ids.ts';
import { Subscription } from './subscription.ts';
import type { Delivery, Tap } from './tap.ts';

/** A subscription or a tap, as the channel reader sees it. */
export type Receiver = Pick<Tap, 'joined'>;

/** A message, undefined for one that is invalid, and where it stands in what was received, if that is known. */
export type OnMessage = (
  message: Envelope | undefined,
  frame?: Uint8Array,
  from?: number,
  to?: number,
) => void;

export interface FanOutHooks {
  readonly onInvalid: (error: TickbusError, frame: Uint8Array) => void;
  /**
   * The newest message of a key, before any handler has it; undefined: it is invalid. Only what the server stamped and some
   * subscription wants. With the bytes from which `read` makes it again, where they are at hand: copy them, they are not there for long.
   */
  readonly onValue?: ((key: string, message: Message | undefined, bytes?: Uint8Array) => void) | undefined;
}

export class FanOut {
  readonly #channel: Channel;
  readonly #onInvalid: (error: TickbusError, frame: Uint8Array) => void;
  readonly #onValue: FanOutHooks['onValue'];
  readonly subscriptions = new Set<Subscription>();
  readonly taps = new Set<Tap>();
  readonly #ids: RecentIds | undefined;
  readonly #decoder = new FrameDecoder();
  #invalid = 0;
  #duplicates = 0;

  constructor(channel: Channel, { onInvalid, onValue }: FanOutHooks) {
    this.#channel = channel;
    this.#onInvalid = onInvalid;
    this.#onValue = onValue;
    this.#ids = channel.kind === 'command' ? new RecentIds() : undefined;
  }

  /** How many messages were not delivered because they are invalid. */
  get invalid(): number {
    return this.#invalid;
  }

  /** How many commands were not delivered because one of the same id was. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** A kept message; undefined for what is invalid, which is told. All of them come at once: too soon for a reader to learn from. */
  decode(frame: Uint8Array): Envelope | undefined {
    try {
      return decodeEnvelope(frame);
    } catch (error) {
      this.reject(error, frame);
      return undefined;
    }
  }

  /** Takes apart what a channel carries, a message or a batch of them; what is invalid is told, and the others go on. */
  decodeAll(frame: Uint8Array, onMessage: OnMessage): void {
    let batch: DecodedBatch | undefined;
    try {
      batch = this.#decoder.readBatch(frame);
    } catch (error) {
      this.reject(error, frame);
      return onMessage(undefined);
    }
    if (batch === undefined) return onMessage(this.#read(frame), frame, 0, frame.length);
    const { documents, ends } = batch;
    let from = 1;
    for (let index = 0; index < documents.length; index++) {
      const message = this.#checked(batch, documents[index]);
      const to = ends?.[index];
      if (to === undefined) {
        onMessage(message);
      } else {
        onMessage(message, frame, from, to);
        from = to + 1;
      }
    }
  }

  #read(frame: Uint8Array): Envelope | undefined {
    try {
      return this.#decoder.read(frame);
    } catch (error) {
      this.reject(error, frame);
      return undefined;
    }
  }

  #checked(batch: DecodedBatch, document: unknown): Envelope | undefined {
    try {
      return batch.check(document);
    } catch (error) {
      this.reject(error, new TextEncoder().encode(JSON.stringify(document)));
      return undefined;
    }
  }

  /**
   * Shows the message to the taps, then hands the same message to every subscription that wants it. Validates once, and without
   * taps only if a subscription wants it.
   *
   * @param frame where it stands, from `from` to `to`; only of one that is delivered live
   */
  dispatch(
    envelope: Envelope,
    deliveryTo: (receiver: Receiver) => Delivery | 'skip',
    frame?: Uint8Array,
    from = 0,
    to = 0,
  ): void {
    const { message_type: type, id } = envelope;
    const isDuplicate = id !== undefined && this.#ids?.has(id) === true;
    if (isDuplicate) this.#duplicates++;
    if (isDuplicate && this.taps.size === 0) return;
    let message: Message | undefined;
    let key: string | undefined;
    let isFirst = true;
    try {
      const schema = schemaOf(this.#channel, type);
      key = keyOfPayload(this.#channel, type, envelope.data);
      if (this.taps.size > 0) {
        message = messageOf(envelope, validatePayload(this.#channel, type, envelope.data, schema));
        this.#observe(message, deliveryTo);
        if (isDuplicate) return;
      }
      for (const subscription of this.subscriptions) {
        const delivery = deliveryTo(subscription);
        if (delivery === 'skip' || !subscription.wants(type, key)) continue;
        message ??= messageOf(envelope, validatePayload(this.#channel, type, envelope.data, schema));
        const told = delivery === 'snapshot' ? this.#snapshotOf(message) : message;
        // Before it is handled, and only one that is valid and wanted.
        if (isFirst && id !== undefined) this.#ids?.add(id);
        if (isFirst && key !== undefined && told.seq !== undefined)
          this.#onValue?.(key, told, frame && part(frame, from, to));
        isFirst = false;
        subscription.deliver(told, key);
      }
    } catch (error) {
      if (key !== undefined && envelope.seq !== undefined && this.#isWanted(type, key))
        this.#onValue?.(key, undefined);
      this.reject(error, envelope);
    }
  }

  /** Everybody who receives the channel. */
  get receivers(): Receiver[] {
    return [...this.subscriptions, ...this.taps];
  }

  add(receiver: Subscription | Tap): void {
    if (receiver instanceof Subscription) this.subscriptions.add(receiver);
    else this.taps.add(receiver);
  }

  remove(receiver: Subscription | Tap): void {
    if (receiver instanceof Subscription) this.subscriptions.delete(receiver);
    else this.taps.delete(receiver);
  }

  /** What `dispatch` made of the bytes of a message; undefined should its schema say something else now. */
  read(bytes: Uint8Array): Message | undefined {
    try {
      const envelope = this.#decoder.read(bytes);
      return messageOf(envelope, validatePayload(this.#channel, envelope.message_type, envelope.data));
    } catch {
      return undefined;
    }
  }

  #observe(message: Message, deliveryTo: (receiver: Receiver) => Delivery | 'skip'): void {
    for (const tap of this.taps) {
      const delivery = deliveryTo(tap);
      if (delivery === 'skip') continue;
      tap.observe(delivery === 'snapshot' ? this.#snapshotOf(message) : message, delivery);
    }
  }

  /** A tap alone has no latest values, so what it finds invalid does not end one. */
  #isWanted(type: string, key: string): boolean {
    return [...this.subscriptions].some((subscription) => subscription.wants(type, key));
  }

  /** A sole receiver shares the message with nobody, so its kept values are marked in place instead of copied. */
  #snapshotOf(message: Message): Message {
    if (this.subscriptions.size + this.taps.size > 1) return { ...message, snapshot: true };
    return Object.assign(message, { snapshot: true as const });
  }

  reject(error: unknown, message: Uint8Array | Envelope): void {
    this.#invalid++;
    const told = error instanceof TickbusError ? error : invalidMessage('could not be checked');
    const frame = message instanceof Uint8Array ? message : new TextEncoder().encode(JSON.stringify(message));
    this.#onInvalid(told, frame);
  }
}

/**
 * What the envelope says of itself, and none of what only we may say of it. The envelope was made for this message and is not
 * looked at again, so it becomes the message.
 */
function messageOf(envelope: Envelope, data: unknown): Message {
  const message = envelope as { -readonly [K in keyof Message]: Message[K] };
  message.data = data;
  if ('snapshot' in message) delete message.snapshot;
  if ('conflated' in message) delete message.conflated;
  return message;
}

function part(frame: Uint8Array, from: number, to: number): Uint8Array {
  return to - from === frame.length ? frame : frame.subarray(from, to);
}
