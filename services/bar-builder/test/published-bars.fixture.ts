// The bars that a test received, in the order of their arrival.

import type { Bar, DeepReadonly } from 'tickbus';

export class PublishedBars {
  readonly all: DeepReadonly<Bar>[] = [];

  readonly add = (bar: DeepReadonly<Bar>): void => {
    this.all.push(bar);
  };

  /** The last revision of each bar, by `SYMBOL/INTERVAL/start`. */
  get last(): ReadonlyMap<string, DeepReadonly<Bar>> {
    return new Map(this.all.map((bar) => [`${bar.symbol}/${bar.interval}/${bar.start}`, bar]));
  }

  /** The bars whose revision is not above the one before it. */
  get repeated(): readonly DeepReadonly<Bar>[] {
    const revisions = new Map<string, number>();
    return this.all.filter((bar) => {
      const id = `${bar.symbol}/${bar.interval}/${bar.start}`;
      const isRepeated = bar.revision <= (revisions.get(id) ?? -1);
      revisions.set(id, bar.revision);
      return isRepeated;
    });
  }
}
