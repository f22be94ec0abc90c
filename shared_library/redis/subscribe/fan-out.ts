// Third step of the receive path: validates a message once and delivers it to the taps and matching subscriptions.

import type { Channel } from '../channel/channel.ts';
import { copyMessage } from '../wire/copy-message.ts';
import type { Envelope } from '../wire/envelope.ts';
import type { Message } from '../wire/message.ts';
import { largeSizeOf, recordSize } from '../wire/message-size.ts';
import { keyOfPayload, schemaOf, validMessage } from '../wire/payload-schema.ts';
import type { OnInvalid } from './decoder.ts';
import { RecentIds } from './recent-ids.ts';
import { Subscription } from './subscription.ts';
import type { Delivery, Tap } from './tap.ts';

export type Receiver = Subscription | Tap;

export interface FanOutHooks {
  readonly onInvalid: OnInvalid;
  /**
   * Called with the newest message of a key before any handler runs; undefined if that message is invalid. Only for
   * numbered messages that a subscription matches.
   */
  readonly onValue?: ((key: string, message: Message | undefined) => void) | undefined;
}

export class FanOut {
  readonly #channel: Channel;
  readonly #hooks: FanOutHooks;
  readonly subscriptions = new Set<Subscription>();
  readonly taps = new Set<Tap>();
  /** What takes the messages of a subscription in its place, while it waits for stored ones. */
  readonly detours = new Map<Subscription, Pick<Subscription, 'deliver'>>();
  /** The receivers that take part in live delivery. The others first get the last values (kind `state`). */
  readonly #joined = new Set<Receiver>();
  readonly #ids: RecentIds | undefined;
  #duplicates = 0;

  constructor(channel: Channel, hooks: FanOutHooks) {
    this.#channel = channel;
    this.#hooks = hooks;
    this.#ids = channel.kind === 'command' ? new RecentIds() : undefined;
  }

  /** Commands that were not delivered because their id was delivered before. */
  get duplicates(): number {
    return this.#duplicates;
  }

  get receivers(): readonly Receiver[] {
    return [...this.subscriptions, ...this.taps];
  }

  get hasNewReceiver(): boolean {
    return this.#joined.size < this.subscriptions.size + this.taps.size;
  }

  /** The keys whose last values the receivers need; undefined if they need all, or if the kind is not `state`. */
  get keys(): ReadonlySet<string> | undefined {
    const keys = new Set<string>();
    if (this.taps.size > 0 || this.#channel.kind !== 'state') return undefined;
    for (const subscription of this.subscriptions) {
      if (subscription.keys === undefined) return undefined;
      for (const key of subscription.keys) keys.add(key);
    }
    return keys;
  }

  /** True if every receiver gets only messages that a subscription selects, which are the latest values. */
  get hasAllValues(): boolean {
    return this.taps.size === 0 || [...this.subscriptions].some(({ isUnfiltered }) => isUnfiltered);
  }

  add(receiver: Receiver): void {
    if (receiver instanceof Subscription) this.subscriptions.add(receiver);
    else this.taps.add(receiver);
  }

  hasJoined(receiver: Receiver): boolean {
    return this.#joined.has(receiver);
  }

  /** A receiver that was removed does not join. */
  join(receivers: Iterable<Receiver>): void {
    for (const receiver of receivers) {
      const isMember =
        receiver instanceof Subscription ? this.subscriptions.has(receiver) : this.taps.has(receiver);
      if (isMember) this.#joined.add(receiver);
    }
  }

  remove(receiver: Receiver): void {
    this.#joined.delete(receiver);
    if (receiver instanceof Subscription) this.subscriptions.delete(receiver);
    else this.taps.delete(receiver);
  }

  /**
   * Shows the message to the taps, then delivers it to each subscription that wants it. The payload is validated at
   * most once: if there are taps, or if a subscription wants it. A receiver that changes the message does not affect
   * the others: each receiver but the last gets a copy.
   */
  dispatch(envelope: Envelope, deliveryTo: (receiver: Receiver) => Delivery | 'skip'): void {
    const { message_type: type, id } = envelope;
    // Read before the validation, which removes it: a live message may claim it.
    const marks = envelope.adopted === true ? ADOPTED : SNAPSHOT;
    const isDuplicate = id !== undefined && this.#ids?.has(id) === true;
    if (isDuplicate) this.#duplicates++;
    if (isDuplicate && this.taps.size === 0) return;
    const { onInvalid, onValue } = this.#hooks;
    let message: Message | undefined;
    let key: string | undefined;
    let isFirst = true;
    try {
      const schema = schemaOf(this.#channel, type);
      key = keyOfPayload(this.#channel, type, envelope.data);
      if (this.taps.size > 0) {
        message = validMessage(this.#channel, envelope, schema);
        this.#observe(message, marks, deliveryTo);
        if (isDuplicate) return;
      }
      let last: Subscription | undefined;
      let held: Message | undefined;
      for (const subscription of this.subscriptions) {
        const delivery = deliveryTo(subscription);
        if (delivery === 'skip' || !subscription.matches(type, key)) continue;
        message ??= validMessage(this.#channel, envelope, schema);
        const delivered = delivery === 'snapshot' ? this.#snapshotOf(message, marks) : message;
        // Recorded before any handler runs, and only for a valid message that a subscription matches.
        if (isFirst && id !== undefined) this.#ids?.add(id);
        if (isFirst && key !== undefined && delivered.seq !== undefined) onValue?.(key, delivered);
        isFirst = false;
        // Each subscription but the last gets a copy, so that no handler sees what another one changed.
        if (last !== undefined) this.#pass(last, copyMessage(held ?? delivered), key);
        last = subscription;
        held = delivered;
      }
      if (last !== undefined && held !== undefined) this.#pass(last, held, key);
    } catch (error) {
      if (!Object.hasOwn(this.#channel.messages, type) && !this.#mayWant(envelope)) return;
      if (key !== undefined && envelope.seq !== undefined && this.matchesAny(type, key))
        onValue?.(key, undefined);
      onInvalid(error, envelope);
    }
  }

  #pass(subscription: Subscription, message: Message, key: string | undefined): void {
    const detour = this.detours.size === 0 ? undefined : this.detours.get(subscription);
    (detour ?? subscription).deliver(message, key);
  }

  /**
   * Whether the message concerns a receiver, so that it is invalid if the channel does not define its type. Programs
   * may add types of their own to a channel, for other receivers.
   */
  #mayWant({ message_type, data }: Envelope): boolean {
    if (this.taps.size > 0) return true;
    let key: string | undefined;
    try {
      key = this.#channel.keyOf(data);
    } catch {
      // A key function need not accept the payload of an unknown type.
    }
    return [...this.subscriptions].some((subscription) => subscription.matches(message_type, key));
  }

  #observe(message: Message, marks: Marks, deliveryTo: (receiver: Receiver) => Delivery | 'skip'): void {
    for (const tap of this.taps) {
      const delivery = deliveryTo(tap);
      if (delivery === 'skip') continue;
      const own = this.#isShared ? copyMessage(message) : message;
      tap.observe(delivery === 'snapshot' ? { ...own, ...marks } : own, delivery);
    }
  }

  /** True if a subscription selects messages of that type and key, so that the newest one is a latest value. */
  matchesAny(type: string, key: string): boolean {
    return [...this.subscriptions].some((subscription) => subscription.matches(type, key));
  }

  get #isShared(): boolean {
    return this.subscriptions.size + this.taps.size > 1;
  }

  /** If there is only one receiver, the message is marked in place instead of copied. */
  #snapshotOf(message: Message, marks: Marks): Message {
    if (this.#isShared) {
      const copy = { ...message, ...marks };
      recordSize(copy, largeSizeOf(message));
      return copy;
    }
    return Object.assign(message, marks);
  }
}

/** The marks of a stored message. */
type Marks = Pick<Message, 'snapshot' | 'adopted'>;
const SNAPSHOT: Marks = { snapshot: true };
const ADOPTED: Marks = { snapshot: true, adopted: true };
