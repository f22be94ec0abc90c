// The indicators of all feeds together: the worst broker link, and whether prices arrive from any of them.

import type { IndicatorState } from '../page-protocol.ts';
import { brokerIndicator, type GatewayHeartbeat, type IndicatorStatus } from './status-indicators.ts';

export interface ShownFeed {
  /** The channel of the feed. */
  readonly channel: string;
  readonly heartbeat: GatewayHeartbeat | undefined;
  /** The token of the lease according to Redis; undefined if nobody holds it. */
  readonly heldLease: number | undefined;
}

export interface FeedIndicators {
  /** Of the feed that is worst. */
  readonly broker: IndicatorStatus;
  /** The feed that is best, from which prices are expected first. */
  readonly best: ShownFeed | undefined;
  readonly bestState: IndicatorState;
}

const RANK: readonly IndicatorState[] = ['ok', 'unknown', 'warn', 'bad'];

/**
 * @param feeds all feeds with a status
 * @param redis the state of the link that FEED_STATUS uses
 * @param restoredAt when that link was last restored
 */
export function feedIndicators(
  feeds: readonly ShownFeed[],
  redis: IndicatorState,
  now: number,
  restoredAt: number,
): FeedIndicators {
  const judged = feeds.map((feed) => ({
    feed,
    status: brokerIndicator(redis, feed.heartbeat, now, restoredAt, feed.heldLease),
  }));
  judged.sort((a, b) => RANK.indexOf(b.status.state) - RANK.indexOf(a.status.state));
  const [worst] = judged;
  const best = judged.at(-1);
  if (worst === undefined || best === undefined) {
    const broker = brokerIndicator(redis, undefined, now);
    return { broker, best: undefined, bestState: broker.state };
  }
  const detail = judged.map(({ feed, status }) => `${feed.channel}: ${status.detail}`).join(' ');
  const broker = judged.length === 1 ? worst.status : { ...worst.status, detail };
  return { broker, best: best.feed, bestState: best.status.state };
}
