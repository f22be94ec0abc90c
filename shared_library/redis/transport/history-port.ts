// The part of the port that reads past messages, for subscriptions that begin in the past.

import type { ChannelSpec } from '../channel/channel.ts';
import type { Position } from '../wire/position.ts';

export interface HistoryReader {
  /**
   * Reads one page of the history of a channel, or of one of its keys, from the newest message to older ones. The page
   * describes the channel at one instant. All messages up to its `position` have arrived before the reply.
   */
  readHistory(channel: ChannelSpec, query: HistoryQuery): Promise<HistoryPage>;
}

export interface HistoryQuery {
  /** Read the history of this key. Undefined: that of the channel. */
  readonly key?: string | undefined;
  /** Read older messages than this position only. Undefined: begin with the newest. */
  readonly before?: Position | undefined;
  /** Stop at this position: it and older messages are left out. */
  readonly after?: Position | undefined;
  /** The maximum number of messages. 0 reads the position only. The page has fewer beyond about 1 MiB. */
  readonly count: number;
}

export interface HistoryPage {
  /** The head of the channel. */
  readonly position: Position;
  /** The recorded number of partitions; undefined if none was recorded. */
  readonly partitions: number | undefined;
  /** See `ChannelState.isForgotten`. Always false if the query has `before`. */
  readonly isForgotten: boolean;
  /** Newest first. */
  readonly entries: readonly StoredEntry[];
  /**
   * - `more`: older messages may follow.
   * - `end`: nothing older is stored.
   * - `covered`: the message at `after`, or an older one, is stored. So all messages after it are.
   */
  readonly extent: 'more' | 'end' | 'covered';
}

export interface StoredEntry {
  readonly position: Position;
  readonly frame: Uint8Array;
}
