// What one builder knows of the bars that it and others have published.

import type { Bar } from 'tickbus';
import { expect, it } from 'vitest';
import type { BuiltBar } from '../../bars/bar-builder.ts';
import { Publications } from '../../bars/publications.ts';

const IDENTITY = { symbol: 'AAPL', interval: '1m', start: 0, end: 60_000 };
const PRICES = { open: 1, high: 3, low: 1, close: 2 };

function built(volume: number): BuiltBar {
  return { ...IDENTITY, prices: PRICES, volume, trades: 1, vwap: 2, complete: true };
}

function published(revision: number, volume: number): Bar {
  return { ...IDENTITY, ...PRICES, volume, trades: 1, vwap: 2, complete: true, revision };
}

it('a late unknown outcome does not hide the newer revisions of another builder', () => {
  const publications = new Publications();
  publications.built(built(1));
  const [draft] = publications.drafts(1);
  if (draft === undefined) throw new Error('The bar does not wait.');
  expect(draft.message.revision).toBe(0);
  publications.seen(published(0, 1), false);
  publications.seen(published(1, 2), false);
  publications.unsettled(draft);
  publications.built(built(3));
  expect(publications.drafts(1).map(({ message }) => message.revision)).toEqual([2]);
});
