import { expect, it } from 'vitest';
import { RecentIds } from '../../core/recent-ids.ts';

it('knows the last 10,000 ids at least, and forgets older ones', () => {
  const ids = new RecentIds();
  for (let n = 0; n < 25_000; n++) expect(ids.add(`id-${n}`)).toBe(true);
  expect(ids.add('id-24999')).toBe(false);
  expect(ids.add('id-15001')).toBe(false);
  expect(ids.add('id-0')).toBe(true);
});
