// The part of the port that keeps messages of plain clients as last values.

import type { ChannelSpec } from '../channel/channel.ts';
import type { AdoptableText } from '../wire/adopted-prefix.ts';
import type { Position } from '../wire/position.ts';

export interface Adopting {
  /**
   * Stores messages of plain clients as last values of a `state` channel, without numbering or publishing them. Any
   * number of processes can adopt the same messages, in any order and repeatedly: a key keeps the newest one.
   *
   * @returns what became of each message
   * @throws PartitionsChangedError if the server has another number of partitions for the channel than `channel.layout`
   */
  adopt(channel: ChannelSpec, messages: readonly PlainMessage[]): Promise<readonly Adoption[]>;
}

/** A message of a plain client. */
export interface PlainMessage extends AdoptableText {
  readonly key: string;
  /** The position that the channel had reached when the message arrived, or an earlier one. */
  readonly after: Position;
  /** Milliseconds since it arrived, at most `MAX_ADOPTION_DELAY_MS`. */
  readonly agoMs: number;
}

/**
 * - `stored`: it is the last value of its key now.
 * - `present`: it has been before.
 * - `older`: the key has a newer value: a numbered one above `after`, or an adopted one with a later timestamp.
 * - `full`: it has a new key, and the channel has `MAX_ADOPTED_KEYS` last values.
 * - `leased`: the lease of the channel is held, so its holder alone writes last values.
 * - `redefined`: the recorded definition has another kind or key than `channel`, which would store it wrongly.
 */
export type Adoption = 'stored' | 'present' | 'older' | 'full' | 'leased' | 'redefined';

/** A message that was not adopted within this time is given up. */
export const MAX_ADOPTION_DELAY_MS = 5_000;
/**
 * A value that was adopted so long ago was published before any message that arrives now, whatever their timestamps. So
 * a client whose clock was set back is adopted again after this time.
 */
export const CLOCK_TRUST_MS = 2 * MAX_ADOPTION_DELAY_MS;
