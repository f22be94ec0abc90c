// A message as a handler receives it.

import type { Channel, MessageType, Payload } from '../channel/channel.ts';
import type { Envelope } from './envelope.ts';

/** One message of one type. Handlers of a channel share it: treat it as read-only. */
export interface Message<Type extends string = string, Data = unknown>
  extends Omit<Envelope, 'message_type' | 'data'> {
  readonly message_type: Type;
  readonly data: Data;
  /** True for a value kept by the server from before the subscription or a loss, not heard live. */
  readonly snapshot?: true;
  /** How many older messages of the same key were merged into this one, because the handler was behind. */
  readonly conflated?: number;
}

/** The messages of a channel, as a union over its types: `message.message_type` tells them apart. */
export type MessageOf<C extends Channel, T extends MessageType<C> = MessageType<C>> = {
  [K in T]: Message<K, Payload<C, K>>;
}[T];
