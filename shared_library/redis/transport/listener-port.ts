// The part of the port that subscribes, and tells whether every listener of a channel has a name.

import type { ChannelSpec } from '../channel/channel.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';

export interface Listening {
  /**
   * Resolves when the server has acknowledged the subscription, which survives reconnects. A channel can have several
   * subscriptions.
   *
   * @param isNamed whether the listener is a participant of PRESENCE
   */
  subscribe(
    channel: ChannelSpec,
    onFrame: (frame: Uint8Array) => void,
    isNamed?: boolean,
  ): Promise<Unsubscribe>;
  /**
   * Whether all listeners of a channel of kind `command` are named, as of one instant: so without a plain client, a
   * pattern subscription, or a link that has also an unnamed subscription. True if nobody listens. Undefined if the
   * user may not know.
   */
  areListenersNamed(channel: ChannelSpec): Promise<boolean | undefined>;
}
