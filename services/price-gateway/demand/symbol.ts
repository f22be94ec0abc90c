// What may be a symbol. Venues spell theirs in many ways: BRK.B, BTC/USD, BAND-GBP, SUSHI/USDT:USDT.

/** As long as a price can carry; no blank, and nothing that has a meaning of its own where symbols are listed. */
const SYMBOL = /^[^\s,*\p{Cc}]{1,64}$/u;

export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}
