// The corpus: a few real messages, capture lines and addresses, which the fuzz targets mutate.

import { readFileSync } from 'node:fs';

function linesOf(file: string): readonly string[] {
  const text = readFileSync(new URL(`corpus/${file}`, import.meta.url), 'utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** Messages of tickbus channels, one JSON document each. */
export function envelopes(): readonly string[] {
  return linesOf('envelopes.jsonl');
}

/** Lines of captures: Coinbase, Binance, Alpaca, and the gateway's recorder. */
export function captures(): readonly string[] {
  return linesOf('captures.jsonl');
}

/** The venue frame in each line of `captures()`, as JSON. */
export function venueFrames(): readonly string[] {
  return captures().map((line) => JSON.stringify((JSON.parse(line) as { frame: unknown }).frame));
}

export function urls(): readonly string[] {
  return linesOf('urls.txt');
}
