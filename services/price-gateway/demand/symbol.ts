// Validates symbols. Venues use many spellings: BRK.B, BTC/USD, BAND-GBP, SUSHI/USDT:USDT.

/**
 * At most 64 characters, the limit of a price. Excludes whitespace, control characters, and the list syntax `,` and
 * `*`.
 */
const SYMBOL = /^[^\s,*\p{Cc}]{1,64}$/u;

export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}
