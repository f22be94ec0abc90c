// What became of the trades that a gateway received for TRADES.

/**
 * - `published`, `late`: trades that were published; `late` ones after a trade that happened later.
 * - `corrected`, `cancelled`: published corrections and cancels.
 * - `repeated`: sent again by the venue, so not published again.
 * - `forgotten`: sent after an interruption, and older than what is remembered: not published, because they may have
 *   been published.
 * - `unsized`: prices without a size, such as those of a ticker, which are no executions.
 * - `lost`: not published, and reported by a `trade_gap`.
 */
type TradeOutcome =
  | 'published'
  | 'late'
  | 'corrected'
  | 'cancelled'
  | 'repeated'
  | 'forgotten'
  | 'unsized'
  | 'lost';

export type TradeCounts = Record<TradeOutcome, number>;

export function noTrades(): TradeCounts {
  return {
    published: 0,
    late: 0,
    corrected: 0,
    cancelled: 0,
    repeated: 0,
    forgotten: 0,
    unsized: 0,
    lost: 0,
  };
}
