// The sale conditions of US stocks: what a trade with each of them must not change.

import type { Exclusion } from '../market-event.ts';

/** The tapes of the stocks: A and B (CTA: NYSE and others), C (UTP: Nasdaq), O (over the counter). */
type Tapes = 'AB' | 'C' | 'O';

const NOT_THE_PRICE: readonly Exclusion[] = ['last', 'high_low'];
const NOTHING: readonly Exclusion[] = ['last', 'high_low', 'volume'];

/**
 * Conditions that exclude a trade on these tapes. All others, also unknown ones, exclude it from nothing.
 *
 * Source: docs.alpaca.markets, "Market Data FAQ", section "How are bars aggregated?", the rules for minute bars. They
 * follow the matrices of the tapes: CTS Pillar Multicast Output Binary Specification, "Sale Condition", and UTP Data
 * Feed Services Specification, section 3.14.2, column "Update Last", of which public transcriptions were read. They
 * differ, because those matrices describe the last sale of a day, and these rules the price of a moment:
 *
 * - Trades in extended hours (`T`) count. The matrices leave the last sale as it was at the close.
 * - `4`, `G`, `P` and `Z` never set the price, not even as the first trade of a day, and never high and low.
 * - `L` (reported late, in sequence) always counts.
 * - `9` corrects the close of the day, minutes or hours later, so it does not set the price.
 */
const EXCLUSIONS: readonly (readonly [code: string, tapes: readonly Tapes[], from: readonly Exclusion[]])[] =
  [
    // Average price trade.
    ['B', ['AB'], NOT_THE_PRICE],
    ['W', ['C', 'O'], NOT_THE_PRICE],
    // Cash sale: cleared on the same day.
    ['C', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Bunched sold trade: several trades in one report, out of sequence.
    ['G', ['C'], NOT_THE_PRICE],
    // Price variation trade.
    ['H', ['AB', 'C'], NOT_THE_PRICE],
    // Odd lot.
    ['I', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Official close and official open of a market center: repeat a price that was reported as a trade.
    ['M', ['AB', 'C'], NOTHING],
    ['Q', ['AB', 'C'], NOTHING],
    // Cleared on the next day.
    ['N', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Prior reference price: the price of an earlier time.
    ['P', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Seller: delivered later than usual.
    ['R', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Extended hours, sold out of sequence.
    ['U', ['AB', 'C', 'O'], NOT_THE_PRICE],
    // Contingent trade, and qualified contingent trade.
    ['V', ['AB', 'C'], NOT_THE_PRICE],
    ['7', ['AB', 'C'], NOT_THE_PRICE],
    // Sold out of sequence.
    ['Z', ['AB', 'C'], NOT_THE_PRICE],
    // Derivatively priced.
    ['4', ['AB', 'C'], NOT_THE_PRICE],
    // Corrected consolidated close.
    ['9', ['AB', 'C'], NOTHING],
  ];

const TAPES: readonly Tapes[] = ['AB', 'C', 'O'];

const TABLES: Readonly<Record<Tapes, ReadonlyMap<unknown, readonly Exclusion[]>>> = {
  AB: tableOf('AB'),
  C: tableOf('C'),
  O: tableOf('O'),
};

function tableOf(tapes: Tapes): ReadonlyMap<unknown, readonly Exclusion[]> {
  return new Map(
    EXCLUSIONS.filter(([, where]) => where.includes(tapes)).map(([code, , from]) => [code, from]),
  );
}

/**
 * What the trade must not change; undefined if nothing. Of several conditions, the strictest counts.
 *
 * @param tape `A`, `B`, `C` or `O`. Without one, a condition counts if it excludes a trade on any tape
 */
export function exclusionsOf(conditions: unknown, tape: unknown): readonly Exclusion[] | undefined {
  if (!Array.isArray(conditions)) return undefined;
  let strictest: readonly Exclusion[] | undefined;
  for (const tapes of tapesOf(tape))
    for (const condition of conditions) {
      const from = TABLES[tapes].get(condition);
      if (from !== undefined && from.length > (strictest?.length ?? 0)) strictest = from;
    }
  return strictest;
}

function tapesOf(tape: unknown): readonly Tapes[] {
  return ONE_TAPE.get(tape) ?? TAPES;
}

const ONE_TAPE: ReadonlyMap<unknown, readonly Tapes[]> = new Map([
  ['A', ['AB']],
  ['B', ['AB']],
  ['C', ['C']],
  ['O', ['O']],
]);
