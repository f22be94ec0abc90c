import { expect, it } from 'vitest';
import { RecentIds } from '../../subscribe/recent-ids.ts';

it('has() knows at least the last 10,000 ids and forgets older ones', () => {
  const ids = new RecentIds();
  for (let n = 0; n < 25_000; n++) {
    expect(ids.has(`id-${n}`)).toBe(false);
    ids.add(`id-${n}`);
  }
  expect(ids.has('id-24999')).toBe(true);
  expect(ids.has('id-15001')).toBe(true);
  expect(ids.has('id-0')).toBe(false);
});
