// Order books of a given size, to measure the cost by message size.

import { z } from 'zod';

export const book = z.object({
  symbol: z.string().min(1).max(64),
  timestamp: z.number().nonnegative(),
  /** Price and size of each level, best first. */
  levels: z.array(z.tuple([z.number(), z.number()])),
});

export type BookEnvelopeData = z.infer<typeof book>;

/** Books whose envelope has about `bytes` bytes (at least about 110). */
export function bookSource(bytes: number, instruments: number): () => BookEnvelopeData {
  const levelBytes = '[187.42,300],'.length;
  const count = Math.max(0, Math.round((bytes - 110) / levelBytes));
  const levels = Array.from({ length: count }, (_, index): [number, number] => [
    (18_742 - index) / 100,
    300 + (index % 9) * 10,
  ]);
  let next = 0;
  return () => ({ symbol: `S${String(next++ % instruments).padStart(4, '0')}`, timestamp: 0, levels });
}
