import { expect, it } from 'vitest';
import { Random } from '../seeded-random.ts';

it('repeats its choices for the same seed, also in a fork after other draws', () => {
  const draw = (random: Random) => Array.from({ length: 50 }, () => random.int(0, 1_000_000));
  expect(draw(new Random(5))).toEqual(draw(new Random(5)));
  expect(draw(new Random(5))).not.toEqual(draw(new Random(6)));
  const drawn = new Random(5);
  draw(drawn);
  expect(draw(drawn.fork('proxy'))).toEqual(draw(new Random(5).fork('proxy')));
  expect(draw(drawn.fork('proxy'))).not.toEqual(draw(new Random(5).fork('kills')));
});

it('draws within the bounds, both included', () => {
  const random = new Random(1);
  const drawn = new Set(Array.from({ length: 200 }, () => random.int(3, 5)));
  expect([...drawn].sort()).toEqual([3, 4, 5]);
  expect(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']));
  expect(Array.from({ length: 50 }, () => random.percent(100)).every(Boolean)).toBe(true);
  expect(Array.from({ length: 50 }, () => random.percent(0)).some(Boolean)).toBe(false);
});
