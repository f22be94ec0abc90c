// The public options of a subscription, and their validation against its channel.

import type { Channel, MessageType } from '../channel/channel.ts';
import { MAX_KEY_LENGTH } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';
import { checkedBound } from '../freshness/age-bounds.ts';
import { checkOptionNames, checkStrings, checkType, type OptionNames } from '../runtime/option-checks.ts';
import { printable } from '../runtime/printable.ts';
import type { MessageOf } from '../wire/message.ts';
import { checkedFrom, type From } from './from.ts';
import type { SubscriptionOptions } from './subscription.ts';

export interface SubscribeOptions<C extends Channel, T extends MessageType<C> = MessageType<C>> {
  /** Only these message types. Default: all types of the channel. */
  types?: readonly T[] | undefined;
  /**
   * Only messages with one of these keys (the symbol on PRICE_DATA). Default: all. On the channel of a gateway, all
   * subscriptions of a subscriber can name at most 20,000 different keys (`MAX_SUBSCRIBER_KEYS`).
   */
  keys?: readonly string[] | undefined;
  /**
   * Only messages for which this returns true. It is called as each message arrives, so keep it cheap. Default: all.
   */
  where?: ((message: MessageOf<C, NoInfer<T>>) => boolean) | undefined;
  /**
   * The maximum number of messages that wait for the handler. On overflow the oldest is dropped and reported as a gap
   * (cause `overflow`). Default 10,000; 250,000 on a `state` channel, where only the newest message of each key waits.
   * Whatever this limit, at most 32 MiB of messages larger than 2 KiB wait.
   */
  queueLimit?: number | undefined;
  /**
   * The age in milliseconds up to which a value of these keys is fresh, for `latest` and `on('verdict')` (kind
   * `state`). Default 5,000. Without it, only channels of a gateway emit `verdict` events. If several
   * subscriptions cover a key, the smallest bound applies.
   */
  maxAgeMs?: number | undefined;
  /**
   * Milliseconds for which these keys stay fresh without new values while their feed is confirmed (kind `state`).
   * Default: `maxQuietMs` of the channel, else `maxAgeMs`.
   */
  maxQuietMs?: number | undefined;
  /**
   * Begins with messages that the server still has (kind `event` with a `history`), as in `{ last: 200 }`. Default:
   * with the next message. Other subscriptions of the channel are not affected.
   */
  from?: From | undefined;
  /**
   * Identifies this subscription in `expired`, `handler_error`, and gaps of its queue or of its `from`. Without it,
   * these reports name only the channel.
   */
  name?: string | undefined;
}

/** Called with one message at a time; a returned promise is awaited before the next message. */
export type MessageHandler<C extends Channel, T extends MessageType<C> = MessageType<C>> = (
  message: MessageOf<C, T>,
) => unknown;

/** The options without the types of a specific channel. */
export type Filters = SubscribeOptions<Channel>;

const NAMES: OptionNames<Filters> = {
  types: true,
  keys: true,
  where: true,
  queueLimit: true,
  maxAgeMs: true,
  maxQuietMs: true,
  from: true,
  name: true,
};

const DEFAULT_QUEUE_LIMIT = 10_000;
/** More than a recovery delivers in one turn: 50,000 last values and 100,000 held messages. */
const DEFAULT_STATE_QUEUE_LIMIT = 250_000;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` for options that the channel does not support */
export function checkedOptions(channel: Channel, options: Filters): SubscriptionOptions {
  checkOptionNames('subscribe', options, NAMES);
  const { types, keys, where, queueLimit, maxAgeMs, maxQuietMs, from, name } = options;
  checkStrings('types', types);
  checkStrings('keys', keys);
  checkType('where', where, 'function');
  checkType('queueLimit', queueLimit, 'number');
  checkType('name', name, 'string');
  for (const type of types ?? []) {
    if (!Object.hasOwn(channel.messages, type)) {
      const known = Object.keys(channel.messages).join(', ');
      throw invalidOption(
        `The channel ${channel} has no message type "${printable(type)}", so \`types\` cannot select it. Use ${known}.`,
      );
    }
  }
  if (keys !== undefined && !channel.keyed) {
    throw invalidOption(
      `The channel ${channel} has no key, so \`keys\` cannot filter it. Use \`where\`, or define it with a key.`,
    );
  }
  const longKey = keys?.find((key) => key.length > MAX_KEY_LENGTH);
  if (longKey !== undefined) {
    throw invalidOption(
      `keys contains a key of ${longKey.length} characters, which no message can have: the limit is ${MAX_KEY_LENGTH}. Omit it.`,
    );
  }
  if (queueLimit !== undefined && !(queueLimit >= 1)) {
    throw invalidOption(
      `queueLimit is ${queueLimit}, which is invalid. Use a number of messages, 1 or above.`,
    );
  }
  for (const [field, value] of Object.entries({ maxAgeMs, maxQuietMs })) {
    if (value === undefined) continue;
    checkedBound(field, value);
    if (channel.kind !== 'state')
      throw invalidOption(
        `${field} does not apply to ${channel}: only the values of kind "state" can be stale. Omit it.`,
      );
  }
  const conflate = channel.kind === 'state';
  return {
    types,
    keys,
    where,
    maxAgeMs,
    maxQuietMs,
    queueLimit: queueLimit ?? (conflate ? DEFAULT_STATE_QUEUE_LIMIT : DEFAULT_QUEUE_LIMIT),
    conflate,
    name,
    start: checkedFrom(channel, from, keys),
  };
}

function invalidOption(message: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', message);
}
