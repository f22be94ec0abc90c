// Everything that a subscriber or a link tells, with the moment it was told.

import type { SubscriberStatus } from 'tickbus';

interface StatusEntry {
  /** By `performance.now()`. */
  readonly at: number;
  readonly status: SubscriberStatus;
}

type StatusType = SubscriberStatus['type'];

export class StatusLog {
  readonly entries: StatusEntry[] = [];
  #waiting: { readonly fits: (entry: StatusEntry) => boolean; readonly resolve: (at: number) => void }[] = [];

  readonly add = (status: SubscriberStatus): void => {
    const entry = { at: performance.now(), status };
    this.entries.push(entry);
    const ready = this.#waiting.filter(({ fits }) => fits(entry));
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve(entry.at);
  };

  count(type: StatusType): number {
    return this.entries.filter(({ status }) => status.type === type).length;
  }

  /** The moment at which the first status of this type was told after `since`; resolves when it is told. */
  first(type: StatusType, since = 0): Promise<number> {
    const fits = ({ at, status }: StatusEntry) => status.type === type && at >= since;
    const found = this.entries.find(fits);
    if (found !== undefined) return Promise.resolve(found.at);
    return new Promise((resolve) => this.#waiting.push({ fits, resolve }));
  }

  /** For a person, when something went wrong. */
  toString(): string {
    const [first] = this.entries;
    const line = ({ at, status }: StatusEntry) => `${Math.round(at - (first?.at ?? 0))} ms ${status.type}`;
    return this.entries.slice(-20).map(line).join(', ');
  }
}
