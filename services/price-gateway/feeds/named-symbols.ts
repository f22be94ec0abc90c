// Finds the requested symbols that a frame names, to find the instruments of a frame that was not understood.

/** Maximum values of a frame that are looked at, the outer ones first: an order book has many more. */
const MAX_VALUES = 100;
/** Longer texts are not names. */
const MAX_TEXT = 200;
/** Separates a symbol from the rest of a topic, as in `market.btcusdt.bbo` and `BTCUSDT@trade`. */
const SEPARATORS = /[.@:|~]/;

/** The requested symbols that are texts in the frame, or parts of a topic, in the venue's own spelling. */
export function namedSymbols(frame: unknown, requested: ReadonlySet<string>): readonly string[] {
  const found = new Set<string>();
  const waiting: unknown[] = [frame];
  for (let index = 0; index < Math.min(waiting.length, MAX_VALUES); index++) {
    const value = waiting[index];
    if (typeof value === 'string') addNames(value, requested, found);
    else if (typeof value === 'object' && value !== null)
      for (const part of Object.values(value).slice(0, MAX_VALUES)) waiting.push(part);
  }
  return [...found];
}

function addNames(text: string, requested: ReadonlySet<string>, found: Set<string>): void {
  if (text.length > MAX_TEXT) return;
  if (requested.has(text)) found.add(text);
  else for (const part of text.split(SEPARATORS)) if (requested.has(part)) found.add(part);
}
