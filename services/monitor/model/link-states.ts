// The state of the link to Redis. On a cluster, each channel has a link of its own, to the node that serves it.

import type { LinkStatus, SubscriberStatus } from 'tickbus';
import type { IndicatorState } from '../page-protocol.ts';
import { type IndicatorStatus, redisIndicator } from './status-indicators.ts';

const LINK_TYPES: ReadonlySet<string> = new Set([
  'connecting',
  'connected',
  'stale',
  'disconnected',
  'reconnecting',
  'failed',
  'closed',
]);

export class LinkStates {
  #whole: LinkStatus | undefined;
  /** When the whole link was last restored; 0 if it has never been lost. */
  #restoredAt = 0;
  /** The channels whose own link is down. */
  readonly #down = new Set<string>();
  /** When the link of a channel was last restored. */
  readonly #channelRestoredAt = new Map<string, number>();

  record(status: SubscriberStatus, now: number): void {
    if (!LINK_TYPES.has(status.type)) return;
    if ('channel' in status) return this.#recordChannel(status.channel, status.type === 'connected', now);
    // Keeps `disconnected`, which carries the cause, when `reconnecting` follows.
    if (status.type === 'reconnecting' && this.#whole?.type === 'disconnected') return;
    this.#whole = status as LinkStatus;
    if (status.type === 'connected' && status.generation > 1) this.#restoredAt = now;
  }

  /** @param redis the address of Redis, as shown */
  indicator(redis: string): IndicatorStatus {
    return redisIndicator(this.#whole, redis, [...this.#down].sort());
  }

  /** The state of the link that a channel uses. */
  stateOf(channel: string): IndicatorState {
    return this.#down.has(channel) ? 'bad' : redisIndicator(this.#whole, '').state;
  }

  /** When messages of a channel could last arrive again after an interruption; 0 if there was none. */
  restoredAt(channel: string): number {
    return Math.max(this.#restoredAt, this.#channelRestoredAt.get(channel) ?? 0);
  }

  #recordChannel(channel: string, isUp: boolean, now: number): void {
    if (!isUp) this.#down.add(channel);
    else if (this.#down.delete(channel)) this.#channelRestoredAt.set(channel, now);
  }
}
