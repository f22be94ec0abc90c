// The states of a link to the server.

import type { TickbusError } from '../errors.ts';

/**
 * The life cycle of a link to the server.
 *
 *     connecting -> connected -> (stale? -> disconnected -> reconnecting* -> connected)* -> closed
 *
 * `failed` ends all attempts until `connect()` is called: the first connection failed, the server rejected the
 * credentials or a subscription, or TLS failed, several times, or reconnecting is disabled.
 */
export type LinkStatus =
  | { readonly type: 'connecting' }
  /** `generation` counts the connections of this link. All subscriptions have been acknowledged again by then. */
  | { readonly type: 'connected'; readonly generation: number }
  /** A ping has gone unanswered: the server hangs, or the network drops packets. */
  | { readonly type: 'stale'; readonly silentForMs: number }
  | { readonly type: 'disconnected'; readonly error: TickbusError }
  /** `attempt` starts at 1 after each drop. */
  | { readonly type: 'reconnecting'; readonly attempt: number }
  | { readonly type: 'failed'; readonly error: TickbusError }
  | { readonly type: 'closed' };

/**
 * The state of the link of one channel. On a cluster each channel has its own link, to the node that owns it, and the
 * other channels are not affected. The first connection of such a link is reported only if an attempt has failed.
 */
export type ChannelLinkStatus = LinkStatus & { readonly channel: string };
