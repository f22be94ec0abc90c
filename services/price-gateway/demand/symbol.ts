// Validates symbols. Venues use many spellings: BRK.B, BTC/USD, BAND-GBP, SUSHI/USDT:USDT.

/**
 * At most 64 characters, as in the PRICE_DATA schema. Excludes whitespace, control characters, and `,` and `*`, which
 * have a meaning in lists of symbols.
 */
const SYMBOL = /^[^\s,*\p{Cc}]{1,64}$/u;

export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}
