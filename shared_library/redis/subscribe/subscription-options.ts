// What a subscription may ask for, and the check that its channel can serve it.

import type { Channel, MessageType } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import { checkedBound } from '../freshness/verdict.ts';
import { printable } from '../runtime/printable.ts';
import type { MessageOf } from '../wire/message.ts';
import type { SubscriptionOptions } from './subscription.ts';

export interface SubscribeOptions<C extends Channel, T extends MessageType<C> = MessageType<C>> {
  /** Only these message types. Default: all of the channel. */
  types?: readonly T[] | undefined;
  /** Only messages with one of these keys (the symbol on PRICE_DATA). Default: all. */
  keys?: readonly string[] | undefined;
  /** Only messages for which this returns true. Called once a message as it arrives, so keep it cheap. Default: all. */
  where?: ((message: MessageOf<C, NoInfer<T>>) => boolean) | undefined;
  /**
   * The most messages that may wait for the handler. Past it the oldest is dropped and reported as a gap (cause `overflow`).
   * Default 10,000; on a `state` channel unlimited, as only the newest of each key waits.
   */
  queueLimit?: number | undefined;
  /**
   * Milliseconds after which a value of these keys is no longer fresh, for `latest` and `on('verdict')` (kind `state`). Default 5,000.
   * Of several subscriptions to a key the strictest counts.
   */
  maxAgeMs?: number | undefined;
  /** Milliseconds that these keys may be quiet while their feed is confirmed (kind `state`). Default: the channel's, else no longer than `maxAgeMs`. */
  maxQuietMs?: number | undefined;
  /** What `expired`, `handler_error` and a gap with cause `overflow` call this subscription, where a channel has several. Default: they tell the channel alone. */
  name?: string | undefined;
}

/** Called with one message at a time; a returned promise is awaited before the next. */
export type MessageHandler<C extends Channel, T extends MessageType<C> = MessageType<C>> = (
  message: MessageOf<C, T>,
) => unknown;

/** The options of a subscription when its channel's types no longer matter. */
export type Filters = SubscribeOptions<Channel>;

const DEFAULT_QUEUE_LIMIT = 10_000;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` for what the channel cannot serve */
export function checkedOptions(channel: Channel, options: Filters): SubscriptionOptions {
  const { types, keys, where, queueLimit, maxAgeMs, maxQuietMs, name } = options;
  for (const type of types ?? []) {
    if (!Object.hasOwn(channel.messages, type)) {
      const known = Object.keys(channel.messages).join(', ');
      throw invalidOption(
        `The channel ${channel} has no message type "${printable(type)}". It has ${known}.`,
      );
    }
  }
  if (keys !== undefined && !channel.keyed) {
    throw invalidOption(
      `The channel ${channel} has no key, so \`keys\` cannot filter it. Use \`where\`, or define the channel with a key.`,
    );
  }
  if (queueLimit !== undefined && !(queueLimit >= 1)) {
    throw invalidOption(`queueLimit is ${queueLimit}. Use a number of messages, 1 or above.`);
  }
  for (const [field, value] of Object.entries({ maxAgeMs, maxQuietMs })) {
    if (value === undefined) continue;
    checkedBound(field, value);
    if (channel.kind !== 'state')
      throw invalidOption(
        `${field} is given, and ${channel} is not of kind "state": only values can be stale.`,
      );
  }
  const conflate = channel.kind === 'state';
  return {
    types,
    keys,
    where,
    maxAgeMs,
    maxQuietMs,
    queueLimit: queueLimit ?? (conflate ? Number.POSITIVE_INFINITY : DEFAULT_QUEUE_LIMIT),
    conflate,
    name,
  };
}

function invalidOption(message: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', message);
}
