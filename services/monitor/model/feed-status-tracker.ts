// Tracks FEED_STATUS: the newest status of the lease holder, and an event for each change.

import type { MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { Severity } from '../page-protocol.ts';
import { BoundedEntries } from './bounded-entries.ts';
import type { ShownFeed } from './feed-indicators.ts';
import { rowName, rowSentence } from './row-text.ts';
import type { GatewayHeartbeat } from './status-indicators.ts';

type FeedStatusMessage = MessageOf<typeof CHANNELS.FEED_STATUS>;
type AddEvent = (kind: 'feed' | 'lease', severity: Severity, text: string) => void;

const SEVERITY: Readonly<Record<GatewayHeartbeat['status']['state'], Severity>> = {
  connecting: 'info',
  live: 'info',
  silent: 'warn',
  degraded: 'bad',
  down: 'bad',
  stopping: 'warn',
  stopped: 'warn',
};

/** Maximum price channels; bounds memory. */
const MAX_CHANNELS = 100;

export class FeedStatusTracker {
  readonly #addEvent: AddEvent;
  /** Returns the token of the lease of a channel according to Redis; undefined if nobody holds the lease. */
  readonly #heldLease: (channel: string) => number | undefined;
  /** Newest status by price channel, because each price channel has a separate gateway. */
  readonly #newest = new BoundedEntries<GatewayHeartbeat>(MAX_CHANNELS);

  constructor(addEvent: AddEvent, heldLease: (channel: string) => number | undefined) {
    this.#addEvent = addEvent;
    this.#heldLease = heldLease;
  }

  /** The newest status of each price channel. */
  get feeds(): readonly ShownFeed[] {
    return [...this.#newest.values()].map((heartbeat) => {
      const { channel = CHANNELS.PRICE_DATA.name } = heartbeat.status;
      return { channel, heartbeat, heldLease: this.#heldLease(channel) };
    });
  }

  /**
   * @param receivedAt when the status was published, by the local clock; earlier than now for a snapshot
   * @param now when the status was received
   */
  record({ data }: FeedStatusMessage, receivedAt: number, now = receivedAt): void {
    const status = shownStatus(data);
    const { channel = CHANNELS.PRICE_DATA.name, lease = 0 } = status;
    const before = this.#newest.get(channel)?.status;
    // Redis decides whose status counts, because any client that may publish can claim a high lease. Until Redis names
    // a holder, the status with the highest lease counts: a gateway may still publish after it has lost its lease.
    const held = this.#heldLease(channel);
    const isFromHolder = held !== undefined && lease === held;
    const known = before?.lease ?? 0;
    if (!isFromHolder && (known === held || lease < known)) return;
    this.#newest.set(channel, { status, receivedAt }, now);
    if (before?.lease !== status.lease) this.#reportLease(status);
    if (before?.state === status.state && before.detail === status.detail) return;
    const detail = status.detail === undefined ? '' : ` ${status.detail}`;
    const name = channel === CHANNELS.PRICE_DATA.name ? status.feed : `${status.feed} on ${channel}`;
    this.#addEvent('feed', SEVERITY[status.state], `The feed ${name} is ${status.state}.${detail}`);
  }

  #reportLease({ lease, holder, feed }: GatewayHeartbeat['status']): void {
    const name = holder ?? `The gateway of ${feed}`;
    this.#addEvent(
      'lease',
      'info',
      lease === undefined ? `${name} holds no lease.` : `${name} holds lease ${lease}.`,
    );
  }
}

function shownStatus(status: FeedStatusMessage['data']): FeedStatusMessage['data'] {
  const { feed, detail, holder, channel } = status;
  return {
    ...status,
    feed: rowName(feed),
    ...(detail !== undefined && { detail: rowSentence(detail) }),
    ...(holder !== undefined && { holder: rowName(holder) }),
    ...(channel !== undefined && { channel: rowName(channel) }),
  };
}
