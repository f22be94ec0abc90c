// The message that a handler receives.

import type { Channel, MessageType, Payload } from '../channel/channel.ts';
import type { Envelope } from './envelope.ts';

/**
 * A message of one type. Each handler, observer and call of `latest` gets its own copy, so a change in it has no effect
 * on the others. The TypeScript type is read-only nevertheless: to change a value, copy it.
 */
export interface Message<Type extends string = string, Data = unknown>
  extends Omit<Envelope, 'message_type' | 'data'> {
  readonly message_type: Type;
  readonly data: DeepReadonly<Data>;
  /** True for a stored value that was read from the server, on subscribing or after a gap. */
  readonly snapshot?: true;
  /**
   * True for such a value that a plain client has published (`adopt` of `defineChannel`). It has no position, and `at`
   * is the server time at which a tickbus process heard it.
   */
  readonly adopted?: true;
  /** Number of older messages of this key that this message replaced, because the handler was behind. */
  readonly conflated?: number;
}

/** The messages of a channel: a union over its types, discriminated by `message_type`. */
export type MessageOf<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: Message<K, Payload<C, K>>;
}[T];

/**
 * A payload as receivers see it: read-only at every depth. Objects with methods, such as Date or a decimal number, keep
 * their type.
 */
export type DeepReadonly<T> =
  T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<DeepReadonly<K>, DeepReadonly<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<DeepReadonly<V>>
      : T extends readonly unknown[]
        ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
        : T extends object
          ? HasMethod<T> extends true
            ? T
            : { readonly [K in keyof T]: DeepReadonly<T[K]> }
          : T;

type HasMethod<T> = true extends {
  [K in keyof T]: T[K] extends (...args: never) => unknown ? true : false;
}[keyof T]
  ? true
  : false;
