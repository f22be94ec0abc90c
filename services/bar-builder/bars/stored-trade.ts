// A trade as the builder keeps it while corrections and cancels can change it.

import type { DeepReadonly, Trade } from 'tickbus';

export interface StoredTrade {
  /** When it happened, Unix milliseconds. */
  readonly time: number;
  /** Its place among trades of the same millisecond: the order in which they were published. */
  readonly order: number;
  readonly id: string | undefined;
  readonly price: number;
  readonly size: number;
  /** As the venue sent it, before it was corrected; undefined if it was not. */
  readonly sent?: Pick<StoredTrade, 'price' | 'size'> | undefined;
  /** What it must not change, by the rules of the venue: see `excluded_from` of a trade. */
  readonly excluded: Exclusions;
}

interface Exclusions {
  readonly last: boolean;
  readonly highLow: boolean;
  readonly volume: boolean;
}

type Fields = Pick<DeepReadonly<Trade>, 'trade_id' | 'price' | 'size' | 'timestamp' | 'excluded_from'>;

export function storedTrade(trade: Fields, order: number): StoredTrade {
  const { trade_id: id, price, size, timestamp: time, excluded_from: names } = trade;
  return { time, order, id, price, size, excluded: exclusionsOf(names) };
}

const NONE: Exclusions = { last: false, highLow: false, volume: false };

function exclusionsOf(names: Fields['excluded_from']): Exclusions {
  if (names === undefined || names.length === 0) return NONE;
  return {
    last: names.includes('last'),
    highLow: names.includes('high_low'),
    volume: names.includes('volume'),
  };
}
