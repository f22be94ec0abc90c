// The last values of a quantity sampled once per second.

export class PerSecondSeries {
  readonly #values: number[] = [];
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  add(value: number): void {
    this.#values.push(value);
    if (this.#values.length > this.#length) this.#values.shift();
  }

  get last(): number | undefined {
    return this.#values.at(-1);
  }

  /** Oldest first. */
  all(): readonly number[] {
    return [...this.#values];
  }
}
