// Reproducible random choices.

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export class Random {
  readonly seed: number;
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  /** @param seed a whole number; print it, so that a run can be repeated */
  constructor(seed: number) {
    this.seed = seed;
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number from `min` to `max`, inclusive. */
  int(min: number, max: number): number {
    return uniformInt(this.#generator, min, max);
  }

  /** True with a probability of `chance` percent. */
  percent(chance: number): boolean {
    return this.int(1, 100) <= chance;
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.int(0, choices.length - 1)] ?? choices[0];
  }

  /** A separate sequence for `name`. It does not depend on the numbers drawn so far. */
  fork(name: string): Random {
    let mixed = this.seed;
    for (const letter of name) mixed = Math.imul(mixed ^ (letter.codePointAt(0) ?? 0), 0x01000193);
    return new Random(mixed);
  }
}
