// The states of a link to the server.

import type { TickbusError } from '../errors.ts';

/**
 * The life of one link to the server.
 *
 * connecting -> connected -> (stale? -> disconnected -> reconnecting* -> connected)* -> closed
 *
 * `failed` ends a link that is not tried again: the first connection did not come about, the server refused the credentials or
 * a subscription several times, or reconnecting is turned off.
 */
export type LinkStatus =
  | { readonly type: 'connecting' }
  /** `generation` counts the connections of this link; every subscription is acknowledged again when this is told. */
  | { readonly type: 'connected'; readonly generation: number }
  /** Nothing has come in for so long although it was asked for: the server hangs, or the network drops what is sent. */
  | { readonly type: 'stale'; readonly silentForMs: number }
  | { readonly type: 'disconnected'; readonly error: TickbusError }
  /** `attempt` counts from 1 since the link dropped. */
  | { readonly type: 'reconnecting'; readonly attempt: number }
  | { readonly type: 'failed'; readonly error: TickbusError }
  | { readonly type: 'closed' };
