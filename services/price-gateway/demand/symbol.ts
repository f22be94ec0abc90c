// Validates symbols. Venues use many spellings: BRK.B, BTC/USD, BAND-GBP, SUSHI/USDT:USDT, NIFTY 50.

/**
 * At most 128 UTF-16 units, as in the PRICE_DATA schema. Excludes control characters, and whitespace except for single
 * blanks between other characters. Excludes invisible and bidirectional formatting, because it could make two symbols
 * look the same. Excludes `,` and `*`, because they have a meaning in lists of symbols.
 */
const SYMBOL = /^[^\s,*\p{C}]+( [^\s,*\p{C}]+)*$/u;
const MAX_LENGTH = 128;

export function isSymbol(text: string): boolean {
  return text.length <= MAX_LENGTH && SYMBOL.test(text);
}
