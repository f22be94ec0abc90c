// What the gateways tell of their broker link: the newest word of the one that holds it, and the changes worth an event.

import type { MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Severity } from '../page-protocol.ts';
import type { GatewayHeartbeat } from './status-indicators.ts';

type FeedStatusMessage = MessageOf<typeof CHANNELS.FEED_STATUS>;
type AddEvent = (kind: 'feed' | 'lease', severity: Severity, text: string) => void;

const SEVERITY: Readonly<Record<GatewayHeartbeat['status']['state'], Severity>> = {
  connecting: 'info',
  live: 'info',
  silent: 'warn',
  down: 'bad',
  stopping: 'warn',
  stopped: 'warn',
};

/** More have no gateway of their own. */
const MAX_CHANNELS = 100;

export class FeedStatusTracker {
  readonly #addEvent: AddEvent;
  /** By the channel that a feed fills: two channels have two gateways. */
  readonly #newest = new Map<string, GatewayHeartbeat>();

  constructor(tell: AddEvent) {
    this.#addEvent = tell;
  }

  /** Of the gateway of the prices that the page shows; undefined before it was heard. */
  get newest(): GatewayHeartbeat | undefined {
    return this.#newest.get(CHANNELS.PRICE_DATA.name);
  }

  record({ data: status }: FeedStatusMessage, receivedAt: number): void {
    const { channel = CHANNELS.PRICE_DATA.name, lease = 0 } = status;
    const before = this.#newest.get(channel)?.status;
    // A gateway that has lost its lease can still say something; it is no longer its turn.
    if (lease < (before?.lease ?? 0)) return;
    if (before === undefined && this.#newest.size >= MAX_CHANNELS) return;
    this.#newest.set(channel, { status, receivedAt });
    if (before?.lease !== status.lease) this.#reportLease(status);
    if (before?.state === status.state && before.detail === status.detail) return;
    const detail = status.detail === undefined ? '' : ` ${status.detail}`;
    this.#addEvent('feed', SEVERITY[status.state], `The feed ${status.feed} is ${status.state}.${detail}`);
  }

  #reportLease({ lease, holder, feed }: GatewayHeartbeat['status']): void {
    const who = holder ?? `The gateway of ${feed}`;
    this.#addEvent(
      'lease',
      'info',
      lease === undefined ? `${who} holds no lease.` : `${who} holds lease ${lease}.`,
    );
  }
}
