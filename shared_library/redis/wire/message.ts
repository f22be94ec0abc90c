// The message that a handler receives.

import type { Channel, MessageType, Payload } from '../channel/channel.ts';
import type { Envelope } from './envelope.ts';

/** A message of one type. All handlers of a channel share it, so treat it as read-only. */
export interface Message<Type extends string = string, Data = unknown>
  extends Omit<Envelope, 'message_type' | 'data'> {
  readonly message_type: Type;
  readonly data: Data;
  /** True for a stored value that was read from the server, on subscribing or after a gap. */
  readonly snapshot?: true;
  /** Number of older messages of this key that this message replaced, because the handler was behind. */
  readonly conflated?: number;
}

/** The messages of a channel: a union over its types, discriminated by `message_type`. */
export type MessageOf<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: Message<K, Payload<C, K>>;
}[T];
